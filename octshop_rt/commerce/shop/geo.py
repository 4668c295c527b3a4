"""Points on the map, pure: WGS-84 to GCJ-02 (China's offset coordinates) and the distance between two points."""

from __future__ import annotations

import math

from octshop_rt.commerce.shop.model import Gcj, GeoPoint
from octshop_rt.core.errors import BadInput

EARTH_M = 6_371_008.8
# Krasovsky 1940, on which GCJ-02 was laid out; constants as published with the transform in many map libraries.
_AXIS = 6378245.0
_ECCENTRICITY2 = 0.00669342162296594323


def point(lng: float, lat: float) -> GeoPoint:
    """A WGS-84 point."""
    return GeoPoint(coordinates=(lng, lat))


def asked_place(lng: float | None, lat: float | None) -> GeoPoint | None:
    """Where a caller says it is. BadInput for half a point and for what is no number."""
    if lng is None and lat is None:
        return None
    if lng is None or lat is None or not (math.isfinite(lng) and math.isfinite(lat)):
        raise BadInput(reason="lng and lat go together and must be numbers")
    return point(lng, lat)


def distance_m(a: GeoPoint, b: GeoPoint) -> int:
    """Metres along the great circle."""
    (lng_a, lat_a), (lng_b, lat_b) = a.coordinates, b.coordinates
    phi_a, phi_b = math.radians(lat_a), math.radians(lat_b)
    half_phi, half_lambda = math.radians(lat_b - lat_a) / 2, math.radians(lng_b - lng_a) / 2
    chord = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return round(2 * EARTH_M * math.asin(math.sqrt(min(1.0, chord))))


def to_gcj(place: GeoPoint) -> Gcj:
    """GCJ-02 of a WGS-84 point; outside China's box the two are the same."""
    lng, lat = place.coordinates
    if not (72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271):
        return Gcj(lng=lng, lat=lat)
    phi = math.radians(lat)
    magic = 1 - _ECCENTRICITY2 * math.sin(phi) ** 2
    d_lat = _lat_offset(lng - 105.0, lat - 35.0) / math.radians(
        _AXIS * (1 - _ECCENTRICITY2) / (magic * math.sqrt(magic))
    )
    d_lng = _lng_offset(lng - 105.0, lat - 35.0) / math.radians(_AXIS / math.sqrt(magic) * math.cos(phi))
    return Gcj(lng=round(lng + d_lng, 6), lat=round(lat + d_lat, 6))


def _lat_offset(x: float, y: float) -> float:
    offset = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    offset += _waves((20.0, 6.0 * x), (20.0, 2.0 * x))
    offset += _waves((20.0, y), (40.0, y / 3.0))
    return offset + _waves((160.0, y / 12.0), (320.0, y / 30.0))


def _lng_offset(x: float, y: float) -> float:
    offset = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    offset += _waves((20.0, 6.0 * x), (20.0, 2.0 * x))
    offset += _waves((20.0, x), (40.0, x / 3.0))
    return offset + _waves((150.0, x / 12.0), (300.0, x / 30.0))


def _waves(*terms: tuple[float, float]) -> float:
    return sum(height * math.sin(turns * math.pi) for height, turns in terms) * 2.0 / 3.0
