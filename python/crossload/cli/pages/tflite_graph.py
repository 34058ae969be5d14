"""A .tflite's graph as a picture in text, for `show --graph`: an operator a line, its values as lanes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossload.artifacts.tflite.inner import Inner, Operator, Tensor
from crossload.cli.pages.page import datatype, shape, strong
from crossload.support.text import printable

# A graph with more values alive at once is drawn without lanes: they would take the screen.
_MOST_LANES = 32


def lines(graphs: Sequence[Inner]) -> Iterator[str]:
    """Each subgraph: its inputs, its operators in the order of execution, its outputs."""
    for graph in graphs:
        by = f", signature {printable(graph.key)}" if graph.key else ""
        yield f"{strong('subgraph')} {graph.subgraph} {printable(graph.name) or '(without a name)'}{by}"
        yield from _drawn(graph)


def _drawn(graph: Inner) -> Iterator[str]:
    lanes = _Lanes(graph)
    rows = [(lanes.opened(index), f"input   {_value(graph.tensors[index])}") for index in graph.inputs]
    rows += [(lanes.stepped(n, o), f"#{n} {_operator(graph, o)}") for n, o in enumerate(graph.operators)]
    rows += [(lanes.closed(index), f"output  {_value(graph.tensors[index])}") for index in graph.outputs]
    width = max((len(picture) for picture, _ in rows), default=0)
    for picture, text in rows:
        yield (f"  {picture.ljust(width)}  {text}" if width <= 2 * _MOST_LANES else f"  {text}").rstrip()


def _operator(graph: Inner, operator: Operator) -> str:
    made = "; ".join(_value(graph.tensors[i]) for i in operator.outputs if i >= 0)
    constants = [graph.tensors[i] for i in operator.inputs if i >= 0 and graph.tensors[i].extent is not None]
    version = f" v{operator.version}" if operator.version > 1 else ""
    held = f"  with {', '.join(f'{datatype(t.datatype)} {shape(t.shape)}' for t in constants)}" if constants else ""
    calls = f"  runs subgraph {', '.join(map(str, operator.calls))}" if operator.calls else ""
    return f"{strong(printable(operator.op))}{version}  {made}{held}{calls}"


def _value(tensor: Tensor) -> str:
    name = tensor.name.partition(";")[0]  # the converter joins the names of what it fused
    return f"{printable(name) or f'tensor {tensor.index}'}  {datatype(tensor.datatype or 'DT_0')} {shape(tensor.free or tensor.shape)}"


class _Lanes:
    """A lane for each computed value, from the operator that makes it to the last one that reads it."""

    def __init__(self, graph: Inner) -> None:
        self.graph = graph
        self.lanes: list[int | None] = []
        self.last = {index: n for n, o in enumerate(graph.operators) for index in o.inputs}
        self.last |= dict.fromkeys(graph.outputs, len(graph.operators))

    def opened(self, index: int) -> str:
        """A line on which a value begins without an operator."""
        at = self._place(index)
        return self._row({at: "●"}, at, at)

    def stepped(self, n: int, operator: Operator) -> str:
        """An operator's line: it takes from its inputs' lanes, some of which end, and begins those of its outputs."""
        taken = [self.lanes.index(i) for i in dict.fromkeys(operator.inputs) if i in self.lanes]
        ending = [at for at in taken if self.last.get(self.lanes[at] or 0, -1) <= n]
        for at in ending:
            self.lanes[at] = None
        made = [self._place(i) for i in operator.outputs if i >= 0] or [len(self.lanes)]
        marks: dict[int, str] = {}
        for at in taken:
            marks[at] = ("╰" if at < made[0] else "╯") if at in ending else ("├" if at < made[0] else "┤")
        marks |= dict.fromkeys(made[1:], "╮")
        marks[made[0]] = "●"
        drawn = self._row(marks, min(marks), max(marks))
        for at in made:  # a value that nobody reads ends where it began
            if at < len(self.lanes) and self.lanes[at] is not None and self.last.get(self.lanes[at] or 0, -1) <= n:
                self.lanes[at] = None
        return drawn

    def closed(self, index: int) -> str:
        """A line on which a value leaves the graph."""
        if index not in self.lanes:
            return self._row({}, 0, 0)
        at = self.lanes.index(index)
        drawn = self._row({at: "○"}, at, at)
        self.lanes[at] = None
        return drawn

    def _place(self, index: int) -> int:
        if index in self.lanes:
            return self.lanes.index(index)
        at = self.lanes.index(None) if None in self.lanes else len(self.lanes)
        self.lanes[at : at + 1] = [index]
        return at

    def _row(self, marks: dict[int, str], first: int, last: int) -> str:
        """Two letters a lane: its own, and the line to the next one."""
        count = max([len(self.lanes), *(at + 1 for at in marks)], default=0)
        own = [
            marks.get(at) or ("│" if at < len(self.lanes) and self.lanes[at] is not None else "─" if first < at < last else " ")
            for at in range(count)
        ]
        return "".join(letter + ("─" if first <= at < last else " ") for at, letter in enumerate(own)).rstrip()
