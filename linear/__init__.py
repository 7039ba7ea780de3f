"""Linear: GraphQL client, webhooks, and the sink that shows a session there."""
