"""What writes into a repository: init, dataset, model, seal, sign, promote."""
