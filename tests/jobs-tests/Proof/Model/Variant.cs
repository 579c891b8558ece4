namespace Jobs.Tests.Proof.Model;

/// <summary>The rules as they are, or with one of them broken: the checker must find each.</summary>
internal enum Variant
{
    Right,
    NewKeyForEachSend,
    ReplayAfterADay,
    RowAfterTheSend,
    EarlierAttemptLeftPayable,
    AbsenceAfterAnHour,

    /// <summary>The age of the key is asked for after the listing: a run may have been frozen in between.</summary>
    AgeAskedAfterTheListing,
    LateSuccessOfAFailedRowIgnored,
    ExpireWithoutAsking,

    /// <summary>The row's age counts, not that of its key: a run that was frozen before it sent leaves an old row and a young key.</summary>
    ExpiryOfWhatWasJustSent,
    SettleWithoutCompareAndSet,
    SecondAttemptWhileOneIsInFlight,
    CursorMovedBeforeTheWork,
    DeclineForgetsThePaymentIntent,
    FulfilmentWithoutLookingForThePaidPeriod,
}
