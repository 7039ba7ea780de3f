"""The session service. It knows no platform: chat, Linear, code host and agent are ports."""
