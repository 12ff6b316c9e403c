"""Response automation for device code phishing in Microsoft Entra ID."""

__version__ = "0.1.0"
