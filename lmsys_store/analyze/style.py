"""The style sheet of the report page: light, dark and print; one column where there is little room."""

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6779;--line:#dfe4ea;--track:#edf0f4;
--accent:#3566c8;--good:#1c7f5b;--bad:#b8472f;--warn:#8a6a12;--warnbg:#fbf3da}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--ink:#e4e9f0;--soft:#9aa7b8;--line:#2c3542;--track:#252d38;
--accent:#7aa5f5;--good:#58c29a;--bad:#ee8a70;--warn:#e3c26a;--warnbg:#2e2814}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
overflow-wrap:anywhere}
main{max-width:1080px;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .35rem;text-wrap:balance}
h2{font-size:1.15rem;margin:0 0 .2rem}
h3{font-size:.95rem;margin:1.2rem 0 .4rem;color:var(--soft);font-weight:600}
p{margin:.2rem 0 .8rem}.lead,.hint{color:var(--soft)}.hint{font-size:.88rem}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.15rem 1.25rem;margin:1rem 0}
.share{display:inline-block;border-radius:999px;padding:.2rem .75rem;font-size:.85rem;margin:.3rem 0 .2rem;border:1px solid}
.share.no{color:var(--warn);background:var(--warnbg)}.share.yes{color:var(--good)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.8rem;margin:1rem 0}
.figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:.75rem 1rem}
.figure b{display:block;font-size:1.4rem;line-height:1.25;font-variant-numeric:tabular-nums}
.figure span{color:var(--soft);font-size:.85rem}
.say{font-size:1.2rem;font-weight:600;line-height:1.35;margin:.4rem 0 .6rem}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 2.2rem}
.two>*{min-width:0}
.bar,.effect{display:grid;align-items:center;gap:.15rem .8rem;padding:.22rem 0}
.bar{grid-template-columns:minmax(0,11.5rem) minmax(0,1fr) 5.2rem}
.pair{grid-template-columns:minmax(0,11.5rem) minmax(0,1fr) 7.4rem}
.tall .bar{grid-template-columns:minmax(0,24rem) minmax(0,1fr) 5.2rem}
.two .bar{grid-template-columns:minmax(0,1.1fr) minmax(0,1fr) 4rem}
.effect{grid-template-columns:minmax(0,21rem) minmax(0,1fr) 6.2rem;padding:0}
.effect .label{padding:.35rem 0}
.label{font-size:.92rem;line-height:1.3}
.value{font-size:.88rem;text-align:right;font-variant-numeric:tabular-nums;color:var(--soft);white-space:nowrap}
.value small{display:block;font-size:.78rem}
.note{display:block;color:var(--soft);font-size:.78rem;line-height:1.3}
.track{width:100%;height:.8rem;display:block;border-radius:4px}
.ground{fill:var(--track)}.mark{fill:var(--accent)}
.nothing .mark,.mark.other{fill:var(--soft)}.good .mark{fill:var(--good)}.bad .mark{fill:var(--bad)}
.plot{position:relative;align-self:stretch;min-height:2.4rem}.plot svg{position:absolute;inset:0;width:100%;height:100%}
.effect line{vector-effect:non-scaling-stroke}
.grid{stroke:var(--line);stroke-width:1}.grid.one{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:4 3}
.interval{stroke:var(--accent);stroke-width:2.5}.dot{stroke:var(--accent);stroke-width:11;stroke-linecap:round}
.good .interval,.good .dot{stroke:var(--good)}.bad .interval,.bad .dot{stroke:var(--bad)}
.ticks{position:relative;height:1.3rem}
.ticks span{position:absolute;transform:translateX(-50%);font-size:.75rem;color:var(--soft);white-space:nowrap}
.columns{margin:.9rem 0 0}.columns figcaption{font-size:.92rem}
.columns svg{width:100%;height:7.5rem;display:block;border-bottom:1px solid var(--line);margin-top:.3rem}
.legend{display:flex;justify-content:space-between;gap:.6rem;font-size:.75rem;color:var(--soft)}
.wide{overflow-x:auto}
.heat{border-collapse:separate;border-spacing:2px;width:100%;table-layout:fixed;font-size:.75rem}
.heat caption{text-align:left;color:var(--soft);font-size:.85rem;padding-bottom:.3rem;caption-side:top}
.heat th{font-weight:500;text-align:right;color:var(--soft);padding-right:.35rem;line-height:1.15}
.heat thead th{height:7.2rem;vertical-align:bottom;text-align:center;padding:0}
.heat thead th:first-child{width:28%}
.heat thead span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:7rem;
overflow:hidden;display:inline-block;white-space:nowrap;
margin:0 auto}
.heat .cell{background:color-mix(in srgb,var(--accent) var(--v),var(--track));text-align:center;height:1.7rem;border-radius:4px;
font-variant-numeric:tabular-nums;padding:0;overflow:hidden;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.heat .dark{color:var(--card)}
ul{margin:.3rem 0 .4rem;padding-left:1.15rem}li{margin:.3rem 0;font-size:.93rem}
code{font:.84em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--track);border-radius:4px;padding:.05em .3em}
details summary{cursor:pointer;font-size:.9rem;color:var(--soft);margin-top:.6rem}
.words{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.1rem 1.6rem}
.words p{margin:.3rem 0;font-size:.9rem}.words b{display:block;font-size:.85rem;color:var(--soft)}
footer{color:var(--soft);font-size:.8rem;margin-top:1.5rem}
@media (max-width:720px){main{padding:1.2rem .75rem 3rem}section{padding:.95rem .9rem}.two{grid-template-columns:1fr}
.effect,.bar,.tall .bar,.two .bar{grid-template-columns:minmax(0,1fr) auto}
.plot,.effect .ticks,.bar .track{grid-column:1/3;grid-row:2}
.plot{min-height:1.6rem}.effect{padding-bottom:.5rem}
.effect .label{padding:.35rem 0 0}.bar{padding:.3rem 0}.bar .track{height:.6rem}
.heat{font-size:.66rem}.heat .cell{height:1.55rem;letter-spacing:-.03em}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--track:#eee;
--accent:#3566c8;--good:#1c7f5b;
--bad:#b8472f;--warn:#6b5208;--warnbg:#fff}body{font-size:11pt}main{max-width:none;padding:0}
section,.figure{break-inside:avoid;border-color:#bbb}
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}details>*{display:block}}
"""
