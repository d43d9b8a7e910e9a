"""The handlers: one short method per operation of the contract, named after its `operationId` in snake_case."""
