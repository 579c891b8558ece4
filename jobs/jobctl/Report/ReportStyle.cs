namespace Jobs.Report;

/// <summary>What the status page needs besides the looks that it shares with the counter's.</summary>
internal static class ReportStyle
{
    public const string Css =
        """

        :root { --good-fill: #2f9e68; --active-fill: #3b82d6; --quiet-fill: #aab4c2; --bad-fill: #d6382c }
        @media (prefers-color-scheme: dark) { :root { --good-fill: #3fae78; --active-fill: #5b9ee6; --quiet-fill: #566273; --bad-fill: #e8675c } }
        .good-fill { fill: var(--good-fill) } .active-fill { fill: var(--active-fill) } .quiet-fill { fill: var(--quiet-fill) } .bad-fill { fill: var(--bad-fill) }
        .banner.fine { background: var(--good-back); border-color: var(--good-fill) } .banner.fine h2 { color: var(--good); margin: 0 }
        .banner ul { margin: .35rem 0 0; padding-left: 1.1rem } .banner li { margin: .35rem 0 }
        code { font: .875rem/1.5 ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace; padding: .05em .4em; border-radius: .3em; background: var(--card); border: 1px solid var(--line) }
        .strip { display: block; width: 12.5rem; max-width: 100%; height: 1.625rem } .bar { display: block; width: 100%; height: .7rem } .share { width: 40% } th.n, td.n { padding-right: 1.25rem } .backlog .s { width: 1% }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem; margin-bottom: 1rem } .charts section { margin: 0 }
        .chart { position: relative; margin-top: .4rem } .chart > svg { display: block; width: 100%; height: 8.5rem; overflow: visible }
        .chart .top { display: block; font-size: .8125rem; color: var(--dim); font-variant-numeric: tabular-nums }
        .days { display: flex; justify-content: space-between; font-size: .8125rem; color: var(--dim); margin-top: .2rem }
        .grid { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke } .ground { stroke: var(--dim); stroke-width: 1; vector-effect: non-scaling-stroke }
        .legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .875rem } .key { width: .75rem; height: .75rem; margin-right: .35rem; vertical-align: -.05rem }
        details { margin-top: .5rem } summary { cursor: pointer; color: var(--dim); font-size: .875rem } caption { text-align: left; color: var(--dim); font-size: .875rem; padding: .3rem 0 }
        .plain thead { position: static; width: auto; height: auto; clip-path: none }
        .plain { display: table } .plain thead { display: table-header-group } .plain tbody { display: table-row-group } .plain caption { display: table-caption } .plain tr { display: table-row }
        .plain { font-size: .875rem } .plain th, .plain td { display: table-cell; white-space: normal; min-width: 0; padding: .2rem .4rem .2rem 0; border-top: 1px solid var(--line) } .plain tbody .n { text-align: right }
        .plain tbody th::before, .plain tbody td::before { content: none } .plain tbody th { font-weight: 400 }
        @media (max-width: 60rem) { .share { width: auto } .share .bar { flex: 1 } .strip { width: 100% } .plain tbody th, .plain tbody td { display: table-cell } }
        @media print { .charts { display: block } .charts section { break-inside: avoid } details { display: none } }

        """;
}
