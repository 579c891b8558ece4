namespace Jobs.Testing.FakeStripe;

/// <summary>
/// The way of one request, in Stripe's order: rate limiter, authentication, version, idempotency, then validation
/// and execution. Faults come in where the real mishap would.
/// </summary>
internal sealed class StripeServer(World world, Router router, RateLimiter limiter, IdempotencyTable keys, RequestLog log, FaultTable faults, Holds holds)
{
    private readonly ObjectLocks _locks = new();

    public async Task HandleAsync(HttpContext http)
    {
        var incoming = await Incoming.ReadAsync(http, router, world.Ids);
        var logged = log.Add(number => new LoggedRequest
        {
            Number = number,
            Method = incoming.Method,
            Path = incoming.Path,
            Template = incoming.Template,
            At = world.Clock.Now,
            RequestId = incoming.RequestId,
            Parameters = incoming.Parameters.ToString(),
            IdempotencyKey = incoming.IdempotencyKey,
        });

        if (!limiter.TryTake())
        {
            await SendAsync(http, incoming, logged, Refusal(StripeError.RateLimit(), incoming) with { RateLimitedReason = "global-rate" }, fault: null);
            return;
        }

        var fault = faults.Match(incoming, world);
        logged.Fault = fault?.Text;
        if (fault is { Kind: FaultKind.DropBefore })
        {
            http.Abort();
            return;
        }

        var answer = fault?.Instead(world, incoming) ?? await AnswerAsync(http, incoming, fault);
        if (answer is null || fault is { Kind: FaultKind.DropAfter })
        {
            http.Abort();
            return;
        }

        if (fault is { Kind: FaultKind.DelayAfter })
            await Task.Delay(fault.Milliseconds);
        if (fault is { Kind: FaultKind.HangAfter } && !await holds.HoldAsync(incoming, "after", http.RequestAborted))
            return;
        await SendAsync(http, incoming, logged, answer, fault);
    }

    private Answer Refusal(StripeError error, Incoming incoming) =>
        new(error.Status, error.Body(world, incoming.RequestId)) { Saved = error.Saved };

    /// <summary>Null when the client went away before anything was executed.</summary>
    private async Task<Answer?> AnswerAsync(HttpContext http, Incoming incoming, Fault? fault)
    {
        string account, version;
        try
        {
            account = Authentication.Account(http.Request, world.Config);
            version = Authentication.Version(http.Request);
            if (!incoming.FormBody)
                throw StripeError.Invalid("Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any questions, we can help at https://support.stripe.com/.");
            if (incoming.IdempotencyKey is { Length: > 255 } tooLong)
                throw new StripeError(400, "idempotency_error", code: null, $"Idempotency keys may only be up to 255 characters long, got {tooLong.Length}.");
            if (incoming.IdempotencyKey is { } key)
            {
                var fingerprint = IdempotencyTable.Fingerprint(incoming.Method, incoming.Path, incoming.Parameters);
                if (keys.Begin(account, key, fingerprint, incoming.RequestId) is { } replay)
                    return await BeforeAsync(http, incoming, fault) ? replay : null;
            }
        }
        catch (StripeError error)
        {
            return Refusal(error, incoming);
        }

        Answer? answer = null;
        try
        {
            answer = await RunAsync(http, incoming, version, fault);
        }
        finally
        {
            if (incoming.IdempotencyKey is { } key)
                keys.End(account, key, answer);
        }

        return answer is not null && incoming.IdempotencyKey is not null ? answer with { OriginalRequest = incoming.RequestId } : answer;
    }

    private async Task<Answer?> RunAsync(HttpContext http, Incoming incoming, string version, Fault? fault)
    {
        string? lockName = null;
        if (world.Config.LockPerCustomer)
        {
            lock (world.Gate)
                lockName = incoming.LockName(world);
        }

        if (lockName is not null && !await _locks.TakeAsync(lockName, world.Config.LockWaitMs))
            return Refusal(StripeError.LockTimeout(), incoming);
        try
        {
            if (world.Config.LatencyMs > 0)
                await Task.Delay(world.Config.LatencyMs);
            if (!await BeforeAsync(http, incoming, fault))
                return null;
            var answer = Execute(incoming, version);
            return fault?.Replaced(answer) ?? answer;
        }
        finally
        {
            if (lockName is not null)
                _locks.Release(lockName);
        }
    }

    private async Task<bool> BeforeAsync(HttpContext http, Incoming incoming, Fault? fault)
    {
        if (fault is { Kind: FaultKind.DelayBefore })
            await Task.Delay(fault.Milliseconds);
        return fault is not { Kind: FaultKind.HangBefore } || await holds.HoldAsync(incoming, "before", http.RequestAborted);
    }

    private Answer Execute(Incoming incoming, string version)
    {
        lock (world.Gate)
        {
            world.Settle();
            world.Cause = (incoming.RequestId, incoming.IdempotencyKey);
            try
            {
                if (incoming.Route is not var (endpoint, arguments))
                    throw new StripeError(404, "invalid_request_error", code: null, $"Unrecognized request URL ({incoming.Method}: {incoming.Path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.");
                endpoint.Allow.Verify(incoming.Parameters, version);
                var expansion = Expansion.Parse(incoming.Parameters["expand"], endpoint.Result);
                var result = endpoint.Run(new Call(world, incoming.Parameters, arguments, version));
                return new Answer(200, Render.Bytes(world, result, expansion)) { Saved = true };
            }
            catch (StripeError error)
            {
                return Refusal(error, incoming);
            }
            finally
            {
                world.Cause = null;
            }
        }
    }

    private static async Task SendAsync(HttpContext http, Incoming incoming, LoggedRequest logged, Answer answer, Fault? fault)
    {
        logged.Status = answer.Status;
        var response = http.Response;
        response.StatusCode = answer.Status;
        response.ContentType = answer.ContentType;
        var headers = response.Headers;
        headers["Request-Id"] = incoming.RequestId;
        var requested = http.Request.Headers["Stripe-Version"].ToString();
        headers["Stripe-Version"] = StripeVersions.IsKnown(requested) ? requested : StripeVersions.Newest;
        if (incoming.IdempotencyKey is { Length: <= 255 } key)
            headers["Idempotency-Key"] = key;
        if (answer.OriginalRequest is not null)
            headers["Original-Request"] = answer.OriginalRequest;
        if (answer.Replayed)
            headers["Idempotent-Replayed"] = "true";
        if (answer.RateLimitedReason is not null)
            headers["Stripe-Rate-Limited-Reason"] = answer.RateLimitedReason;
        if (fault?.ShouldRetry is { } retry)
            headers["Stripe-Should-Retry"] = retry ? "true" : "false";

        await (fault ?? Fault.None).WriteAsync(http, answer.Body);
    }
}
