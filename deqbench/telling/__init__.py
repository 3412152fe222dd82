"""The wing that tells: stored records become pandas tables, intervals, figures and a page. No torch here."""
