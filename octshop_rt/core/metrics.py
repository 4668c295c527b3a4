"""Metrics: one registry per process, the figures of the HTTP edge, and counters and gauges for whoever needs one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Names begin with `octshop_`. Labels hold routes, codes and states; never a person's id, phone or token."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """The counter `octshop_<name>_total`, made at the first call."""
        if name not in self._counters:
            self._counters[name] = Counter(f"octshop_{name}", text, labels, registry=self.registry)
        return self._counters[name]

    def gauge(self, name: str, text: str, read: Callable[[], float] | None = None) -> Gauge:
        """The gauge `octshop_<name>`, made at the first call; with `read`, asked for its value at each scrape."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"octshop_{name}", text, registry=self.registry)
        if read is not None:
            self._gauges[name].set_function(read)
        return self._gauges[name]

    def page(self) -> tuple[bytes, str]:
        """The text of a scrape and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class HttpMetrics:
    """Requests by route pattern (not path: a path holds ids), method and status; their duration; refusals by code."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = metrics.counter("http_requests", "HTTP requests", ("method", "route", "status"))
        self._refusals = metrics.counter("http_refusals", "HTTP refusals", ("code",))
        self._seconds = Histogram(
            "octshop_http_seconds",
            "Time to answer",
            ("method", "route"),
            buckets=_SECONDS,
            registry=metrics.registry,
        )
        # Looking a labelled child up costs more than counting on it; the labels are few (routes, methods, statuses).
        self._of: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request has been answered."""
        found = self._of.get((method, route, status))
        if found is None:
            found = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._of[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def refused(self, code: str) -> None:
        """One request has been refused with `code`."""
        self._refusals.labels(code).inc()
