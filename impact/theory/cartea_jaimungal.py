"""Trading with a fine on what is held and left over, towards a share of the volume, and with a drift.

A. Cartea, S. Jaimungal and J. Penalva, Algorithmic and High-Frequency Trading, Cambridge 2015, chapters 6, 7 and 9.
The price moves by b per quantity for good, and by k per quantity and time while trading. Units: any, shared by all.
"""

from dataclasses import dataclass
from math import exp, isfinite, sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """Sale of N by T, with a fine phi Q^2 per time on what is held and alpha Q^2 on what is left.

    Parameters
    ----------
    order_qty
        N, > 0.
    deadline
        T, time, > 0.
    temporary
        k, money per quantity for each quantity per time, > 0.
    permanent
        b, money per quantity for each quantity, >= 0.
    left_fine
        alpha, money per quantity squared; alpha - b / 2 above sqrt(k phi).
    held_fine
        phi, money per quantity squared and time, > 0.
    """

    order_qty: float
    deadline: float
    temporary: float
    permanent: float
    left_fine: float
    held_fine: float

    def __post_init__(self) -> None:
        """Refuse inputs without a meaning."""
        for name in ("order_qty", "deadline", "temporary", "left_fine", "held_fine"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0.0:
                raise ValueError(f"{name} must be above zero, got {value}")
        if self.permanent < 0.0 or self.left_fine - self.permanent / 2.0 <= self._balance:
            raise ValueError("the fine on what is left has to outweigh both impacts")

    def left_qty(self, time: float) -> float:
        """Q(t) = N (z e^(g(T - t)) - e^(-g(T - t))) / (z e^(gT) - e^(-gT)), g = sqrt(phi / k).

        z = (alpha - b / 2 + sqrt(k phi)) / (alpha - b / 2 - sqrt(k phi)).

        Parameters
        ----------
        time
            t, 0 to T.
        """
        rate, z = self._rate, self._z
        left = rate * (self.deadline - time)
        return self.order_qty * (z * exp(left) - exp(-left)) / self._whole

    def speed(self, time: float) -> float:
        """-dQ/dt, quantity per time.

        Parameters
        ----------
        time
            t, 0 to T.
        """
        rate, z = self._rate, self._z
        left = rate * (self.deadline - time)
        return self.order_qty * rate * (z * exp(left) + exp(-left)) / self._whole

    @property
    def _balance(self) -> float:
        return sqrt(self.temporary * self.held_fine)

    @property
    def _rate(self) -> float:
        return sqrt(self.held_fine / self.temporary)

    @property
    def _z(self) -> float:
        net = self.left_fine - self.permanent / 2.0
        return (net + self._balance) / (net - self._balance)

    @property
    def _whole(self) -> float:
        return self._z * exp(self._rate * self.deadline) - exp(-self._rate * self.deadline)


def acquired_qty(order_qty: float, time: float, deadline: float, temporary: float, left_fine: float) -> float:
    """What has been bought by a time where only what is left is fined: t N / (T + k / alpha).

    Parameters
    ----------
    order_qty
        N.
    time, deadline
        t and T, 0 <= t <= T.
    temporary
        k, money per quantity for each quantity per time, > 0.
    left_fine
        alpha, money per quantity squared, > 0.
    """
    if not 0.0 <= time <= deadline or temporary <= 0.0 or left_fine <= 0.0:
        raise ValueError("a time within the deadline, and k and alpha above zero are wanted")
    return time * order_qty / (deadline + temporary / left_fine)


def share_following_speed(
    left_qty: float,
    time_left: float,
    *,
    share: float,
    volume_now: float,
    volume_expected: float,
    temporary: float,
    share_fine: float,
) -> float:
    """How fast to trade so as to end in time and stay near a share of the volume: chapter 9.

    v = Q / (T - t) + phi / (k + phi) chi (mu_t - mean of what is expected of mu until T), quantity per time. phi = 0 is
    an even rate, and with a phi that is endless the volume alone says.

    Parameters
    ----------
    left_qty
        Q, still to trade.
    time_left
        T - t, > 0.
    share
        chi, 0-1.
    volume_now, volume_expected
        mu_t, and the mean expected until T, quantity per time.
    temporary
        k, money per quantity for each quantity per time, > 0.
    share_fine
        phi, in the same unit, >= 0.
    """
    if time_left <= 0.0 or temporary <= 0.0 or share_fine < 0.0:
        raise ValueError("there is time left, k is above zero and phi is not below it")
    return left_qty / time_left + share_fine / (temporary + share_fine) * share * (
        volume_now - volume_expected
    )


def drift_speed(left_qty: float, time_left: float, drift: float, temporary: float) -> float:
    """How fast to buy while the price drifts up (a sale: take the drift's opposite): Q / (T - t) + a (T - t) / (4k).

    Parameters
    ----------
    left_qty
        Q, still to buy.
    time_left
        T - t, > 0.
    drift
        a, money per quantity and time.
    temporary
        k, money per quantity for each quantity per time, > 0.
    """
    if time_left <= 0.0 or temporary <= 0.0:
        raise ValueError("there is time left and k is above zero")
    return left_qty / time_left + drift * time_left / (4.0 * temporary)


def drift_gain(duration: float, drift: float, temporary: float) -> float:
    """What `drift_speed` saves against an even rate, if the drift is what it was said to be: a^2 T^3 / (48 k), money.

    Parameters
    ----------
    duration
        T, > 0.
    drift
        a, money per quantity and time.
    temporary
        k, money per quantity for each quantity per time, > 0.
    """
    if duration <= 0.0 or temporary <= 0.0:
        raise ValueError("a duration and k are above zero")
    return drift * drift * duration**3 / (48.0 * temporary)
