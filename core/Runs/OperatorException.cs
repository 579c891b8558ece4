namespace Jobs.Runs;

/// <summary>
/// Something the operator can mend: the message is the one sentence they get, exit code 1, no stack trace.
/// Everything else that throws is a bug or bad luck and keeps its stack in the log.
/// </summary>
public class OperatorException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Ends the whole run at once (not just the current item): going on would do harm or be pointless.</summary>
public sealed class StopRunException(string message, Exception? inner = null) : OperatorException(message, inner);
