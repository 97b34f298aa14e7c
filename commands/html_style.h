// The style sheet of the pages in HTML.
#pragma once
#include <string_view>

namespace ckpt {

inline constexpr std::string_view kHtmlStyle = R"css(
:root {
  color-scheme: light dark;
  --ground: #fff; --text: #1b1e23; --quiet: #5c6470; --line: #d5d9df; --mark: #eef3f9; --accent: #2c69ab; --bar: #9db8d6;
  --file: #b3cdea; --anonymous: #f2cf96; --heap: #f0b09c; --stack: #c5b6e3; --shared: #aed8bf; --other: #cfd3d9;
  --half: rgb(255 255 255 / .5); --rest: rgb(255 255 255 / .82);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15171a; --text: #e3e6ea; --quiet: #9ba4af; --line: #363b43; --mark: #1f2832; --accent: #7fb2e8; --bar: #3d5a7a;
    --file: #2d5682; --anonymous: #7f5a1e; --heap: #8a4433; --stack: #58478c; --shared: #2d664a; --other: #4a5059;
    --half: rgb(21 23 26 / .45); --rest: rgb(21 23 26 / .78);
  }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --text: #000; --quiet: #444; --line: #bbb; --mark: #eee; --accent: #2c69ab; --bar: #9db8d6;
    --file: #b3cdea; --anonymous: #f2cf96; --heap: #f0b09c; --stack: #c5b6e3; --shared: #aed8bf; --other: #cfd3d9;
    --half: rgb(255 255 255 / .5); --rest: rgb(255 255 255 / .82);
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 3rem;
  background: var(--ground); color: var(--text);
  font: 0.9375rem/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; font-weight: 600; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: 1.125rem; font-weight: 600; }
p { margin: .5rem 0; max-width: 46rem; color: var(--quiet); overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .125rem 1.25rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1.25rem 0 1.5rem; break-inside: avoid; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
figcaption, caption { margin-bottom: .5rem; font-weight: 600; text-align: left; }

.map { position: relative; width: 100%; aspect-ratio: 2; overflow: hidden; }
.group { position: absolute; padding: 1px; container: group / size; }
.name {
  display: flex; gap: .5rem; height: 1.375rem; padding: 0 .25rem;
  font-size: .8125rem; line-height: 1.375rem; white-space: nowrap;
}
.name b { overflow: hidden; font-weight: 600; text-overflow: ellipsis; }
.name span { color: var(--quiet); font-variant-numeric: tabular-nums; }
@container group (max-width: 8rem) { .name span { display: none; } }
.tiles { position: absolute; inset: 1.375rem 1px 1px 1px; }
@container group (max-height: 3.5rem) or (max-width: 3.5rem) {
  .name { display: none; }
  .tiles { top: 1px; }
}
.tile { position: absolute; border: 1px solid var(--ground); container: tile / size; }
.tile > span {
  display: block; padding: .0625rem .25rem; overflow: hidden;
  font-size: .8125rem; line-height: 1.25rem; white-space: nowrap; text-overflow: ellipsis;
}
.tile > span + span { padding-top: 0; font-variant-numeric: tabular-nums; opacity: .8; }
@container tile (max-height: 2.625rem) or (max-width: 4.25rem) { .tile > span + span { display: none; } }
@container tile (max-height: 1.3rem) or (max-width: 2.75rem) { .tile > span { display: none; } }
.part { background-image: linear-gradient(to right, transparent var(--a), var(--half) var(--a) var(--b), var(--rest) var(--b)); }
.tile:hover { outline: 2px solid var(--accent); outline-offset: -2px; }
.file { background-color: var(--file); } .anonymous { background-color: var(--anonymous); }
.heap { background-color: var(--heap); } .stack { background-color: var(--stack); }
.shared { background-color: var(--shared); } .other { background-color: var(--other); }
.legend { display: flex; flex-wrap: wrap; gap: .125rem 1.25rem; margin: .5rem 0 0; padding: 0; list-style: none; font-size: .8125rem; }
.legend i { display: inline-block; width: .75rem; height: .75rem; margin-right: .375rem; vertical-align: -.0625rem; }

.bars { display: flex; align-items: flex-end; height: 7rem; max-width: calc(7rem * var(--n)); border-bottom: 1px solid var(--quiet); }
.bars > div { flex: 1 1 0; min-width: 0; max-width: 7rem; height: 100%; display: flex; flex-direction: column; justify-content: flex-end; padding: 0 1px; container: bar / inline-size; }
.bars i { display: block; min-height: 1px; background: var(--bar); }
.bars .marked i { background: var(--accent); }
.bars span { overflow: hidden; font-size: .75rem; line-height: 1.25rem; text-align: center; white-space: nowrap; font-variant-numeric: tabular-nums; }
@container bar (max-width: 3.25rem) { .bars span { display: none; } }
.ends { display: flex; justify-content: space-between; gap: 1rem; max-width: calc(7rem * var(--n)); margin: .125rem 0 0; font-size: .75rem; color: var(--quiet); }

.scroll { margin: 1.25rem 0 1.5rem; overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { padding: .1875rem 1.25rem .1875rem 0; text-align: left; vertical-align: top; white-space: nowrap; border-bottom: 1px solid var(--line); }
td:last-child, th:last-child { padding-right: .25rem; }
th { font-weight: 400; color: var(--quiet); vertical-align: bottom; }
td.long { min-width: 14rem; white-space: normal; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.marked td { background: var(--mark); font-weight: 600; }
footer { margin-top: 3rem; color: var(--quiet); font-size: .8125rem; }
@media print { body { max-width: none; padding: 0; font-size: 9pt; } .scroll { overflow: visible; } thead { display: table-header-group; } tr { break-inside: avoid; } }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dt { margin-top: .375rem; font-size: .8125rem; } .map { aspect-ratio: 4 / 3; } }
)css";

}  // namespace ckpt
