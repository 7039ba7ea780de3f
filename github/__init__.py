"""GitHub: REST and GraphQL client, webhooks, and the people who act there as themselves."""
