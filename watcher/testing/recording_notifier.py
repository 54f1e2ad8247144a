"""A notifier that keeps what it is given, and fails when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from watcher.alerts.notifier import Notice
    from watcher.incidents.incident import Incident


class RecordingNotifier:
    """See Notifier. ``failures`` are raised first, one a call; ``lose_answer`` sends and then raises."""

    def __init__(self, name: str = "recording") -> None:
        self.name = name
        self.sent: list[Notice] = []
        self.refreshed: list[Incident] = []
        self.failures: list[BaseException] = []
        self.lose_answer: BaseException | None = None

    def send(self, notice: Notice) -> dict[str, str]:
        """See Notifier.send: with an earlier attempt it looks first whether the message is there."""
        if self.failures:
            raise self.failures.pop(0)
        known = [one for one in self.sent if self._same(one, notice)]
        if notice.earlier_attempt is None or not known:
            self.sent.append(notice)
        if self.lose_answer is not None:
            error, self.lose_answer = self.lose_answer, None
            raise error
        return {"message": f"{notice.incident.id}/{notice.entry.key}"}

    def refresh(self, incident: Incident, reference: Mapping[str, str]) -> None:
        """See Notifier.refresh."""
        del reference
        self.refreshed.append(incident)

    @staticmethod
    def _same(one: Notice, other: Notice) -> bool:
        return (one.incident.id, one.entry.key) == (other.incident.id, other.entry.key)
