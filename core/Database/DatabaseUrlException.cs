namespace Jobs.Database;

/// <summary>
/// What is wrong with a database URL and how to mend it, in one sentence for the operator. The sentence never contains the
/// password, nor any other text of the URL than the name of a parameter.
/// </summary>
public sealed class DatabaseUrlException(string message) : FormatException(message);
