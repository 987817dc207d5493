"""What stands over the board: a question with fields before something is done, and the list of keys."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from config.problems import ConfigProblems, printable
from executor.interfaces.failure import CommandFailed
from executor.interfaces.terminal_board.lines import QUIET, STRONG, line, page

Given = Mapping[str, str]
Act = Callable[[Given], Awaitable[None]]
LEAVE: Final[list[BindingType]] = [Binding("escape", "leave", "leave it", show=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A line to type.

    Parameters
    ----------
    must
        The only text that will do; empty for any.
    required
        Whether it may not stay empty.
    """

    name: str
    label: str
    value: str = ""
    must: str = ""
    required: bool = False

    def refuses(self, text: str) -> str:
        """Say what is wrong with what was typed; empty if nothing is."""
        if self.must and text != self.must:
            return f"Type {self.must}, or leave it with Esc."
        return f"{self.label}: something has to stand here." if self.required and not text.strip() else ""


class Question(ModalScreen[None]):
    """Asks before something is done; stays with the daemon's words where it refuses.

    Parameters
    ----------
    yes
        What the button that does it says; empty where there is nothing to do.
    act
        Does it.
    """

    BINDINGS = LEAVE

    def __init__(
        self, title: str, words: str, act: Act | None = None, *, yes: str = "", fields: tuple[Field, ...] = ()
    ) -> None:
        super().__init__()
        self._title, self._words, self._act, self._yes = title, words, act, yes
        self._fields = fields

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="box"):
            yield Static(line((self._title, STRONG)))
            yield Static(line(self._words), classes="words")
            for field in self._fields:
                yield Label(line((field.label, QUIET)))
                yield Input(field.value, id=f"field-{field.name}", compact=True)
            yield Static(id="says")
            with Horizontal(classes="buttons"):
                yield Button("Leave it" if self._act else "Close", id="no", compact=True)
                if self._act:
                    yield Button(line(self._yes), id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """Begin with the first line to type, or with the button that does nothing."""
        first = self.query(Input)
        (first.first() if first else self.query_one("#no")).focus()

    def action_leave(self) -> None:
        """Go without doing it."""
        self.dismiss()

    @on(Button.Pressed, "#no")
    def _left(self) -> None:
        self.dismiss()

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def _wanted(self) -> None:
        yes = self.query_one("#yes", Button)
        if yes.disabled:
            return  # the daemon was asked and has not answered yet: Enter again must not ask again
        for field in self._fields:
            place = self.query_one(f"#field-{field.name}", Input)
            wrong = field.refuses(place.value)
            if wrong:
                self._says(wrong if place.value else "")
                place.focus()
                return
        yes.disabled = True
        self.run_worker(self._do(yes))

    async def _do(self, yes: Button) -> None:
        assert self._act is not None, "a question without an act has no button that does it"
        given = {
            field.name: self.query_one(f"#field-{field.name}", Input).value.strip() for field in self._fields
        }
        try:
            await self._act(given)
        except (CommandFailed, ConfigProblems) as error:
            self._says("\n".join(problem.line() for problem in error.problems))
        else:
            self.dismiss()
        finally:
            yes.disabled = False

    def _says(self, words: str) -> None:
        self.query_one("#says", Static).update(page(line(each) for each in words.splitlines()))


class Keys(ModalScreen[None]):
    """The list of keys.

    Parameters
    ----------
    keys
        What each key does.
    """

    BINDINGS = LEAVE

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Lay it out."""
        rows = [line((f"{printable(key):<14}", STRONG), does) for key, does in self._keys.items()]
        with Vertical(classes="box"):
            yield Static(line(("Keys", STRONG)))
            yield Static(page(rows), classes="words")
            yield Button("Close", id="no", compact=True)

    def on_mount(self) -> None:
        """Begin with the button."""
        self.query_one("#no").focus()

    def action_leave(self) -> None:
        """Close it."""
        self.dismiss()

    @on(Button.Pressed)
    def _left(self) -> None:
        self.dismiss()
