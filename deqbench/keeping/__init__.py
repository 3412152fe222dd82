"""Run folders: records written once, whole; both wings read them, neither is imported here."""
