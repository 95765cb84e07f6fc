"""What every stage is written with: records, paths, shards, params, the engine and the runners."""
