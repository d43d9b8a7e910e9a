"""The handlers: one short method an operation of the contract, named as its `operationId` in snake_case."""
