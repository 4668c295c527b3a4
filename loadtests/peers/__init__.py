"""Programs of others that do the same job: brought, started on loopback, spoken to and stopped by the bench itself."""
