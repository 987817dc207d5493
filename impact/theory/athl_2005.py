"""Impact of US equities as it was measured: permanent impact linear, temporary impact a 3/5 power of the speed.

R. Almgren, C. Thum, E. Hauptmann and H. Li, Direct estimation of equity market impact, Risk 18(7), 2005.
"""

from dataclasses import dataclass
from math import isfinite

from impact.almgren_chriss import BETA_USUAL, ETA_USUAL, GAMMA_USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class EvenOrder:
    """An order worked at an even rate.

    I / sigma = gamma (X / V) (Theta / V)^(1/4), K / sigma = eta (X / (V T))^(3/5), J = I / 2 + K.

    Parameters
    ----------
    volume_share
        X / V: quantity over the volume of a day, > 0.
    shares_over_volume
        Theta / V: shares outstanding over the volume of a day, > 0.
    sigma_daily_bps
        Volatility of a day, basis points, > 0.
    duration_days
        T, in days of trading, > 0.
    """

    volume_share: float
    shares_over_volume: float
    sigma_daily_bps: float
    duration_days: float

    def __post_init__(self) -> None:
        """Refuse inputs without a meaning."""
        for name in ("volume_share", "shares_over_volume", "sigma_daily_bps", "duration_days"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")

    @property
    def permanent_bps(self) -> float:
        """I: how far the price stays displaced, basis points."""
        return GAMMA_USUAL * self.volume_share * float(self.shares_over_volume**0.25) * self.sigma_daily_bps

    @property
    def temporary_bps(self) -> float:
        """K: what is paid while trading, basis points."""
        speed = float((self.volume_share / self.duration_days) ** BETA_USUAL)
        return ETA_USUAL * speed * self.sigma_daily_bps

    @property
    def cost_bps(self) -> float:
        """J: what the order pays on average, basis points: half of what stays, and what passes."""
        return self.permanent_bps / 2.0 + self.temporary_bps


def best_duration_days(
    volume_share: float, sigma_daily_bps: float, value: float, risk_aversion: float
) -> float:
    """T* of least J + lambda variance at an even rate: (9/5 eta (X / V)^(3/5) / (lambda X S0 sigma))^(5/8), days.

    Parameters
    ----------
    volume_share
        X / V, > 0.
    sigma_daily_bps
        Volatility of a day, basis points, > 0.
    value
        X S0: quantity times price, money, > 0.
    risk_aversion
        lambda, per money, > 0.
    """
    at_risk = risk_aversion * value * sigma_daily_bps / 10_000.0
    if not isfinite(at_risk) or at_risk <= 0.0 or not isfinite(volume_share) or volume_share <= 0.0:
        raise ValueError("all inputs are numbers above zero")
    return float(
        (3.0 * BETA_USUAL * ETA_USUAL * volume_share**BETA_USUAL / at_risk) ** (1.0 / (1.0 + BETA_USUAL))
    )
