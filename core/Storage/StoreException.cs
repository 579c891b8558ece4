using Jobs.Runs;

namespace Jobs.Storage;

/// <summary>A store that cannot be reached, refuses, is full, or does not hold what it should: one sentence for the operator.</summary>
public sealed class StoreException(string message, Exception? inner = null) : OperatorException(message, inner);
