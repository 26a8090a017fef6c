"""Many people before the page: nobody keeps the others from their work, and nobody loses what is theirs."""

import asyncio
import threading

import pytest

pytest.importorskip("fastapi", reason="the extra 'web' is not installed")

from historynet.web import memory
from historynet.web.line import Line, Ticket


def waits(work):
    """Whether work in a thread of its own waits; and what is called to see it end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(0.3)

    def end():
        thread.join(20)
        assert not thread.is_alive()

    return thread.is_alive(), end


def test_who_waits_for_much_memory_keeps_nobody_from_looking(monkeypatch):
    room = memory.Memory(memory.resident() + memory._NETWORK + 1e9)

    def take(bytes_, taking):
        def work():
            with taking(bytes_):
                pass

        return waits(work)

    with room.taking(0.6e9):
        large, end = take(0.7e9, room.taking)
        assert large
        # It would not fit anyway before the first has ended.
        short, _ = take(0.2e9, room.taking_shortly)
        assert not short
        monkeypatch.setattr(memory, "_PATIENCE", 0.05)
        with pytest.raises(MemoryError), room.taking_shortly(0.5e9):
            pass
        monkeypatch.undo()
    end()
    # What waits for a look alone is not overtaken by other looks.
    with room.taking_shortly(0.4e9):
        large, end = take(0.7e9, room.taking)
        short, end_short = take(0.2e9, room.taking_shortly)
        assert large and short
    end()
    end_short()
    with room.taking(0.99e9):
        pass


def test_work_without_memory_takes_no_place_beside_a_film():
    async def go():
        line, begun, ends = Line(2, room=10), [], {}

        def add(name, need, is_long=False):
            async def run():
                begun.append(name)
                ends[name] = asyncio.Event()
                await ends[name].wait()

            ticket = Ticket(name, is_long, run, lambda place: None, need=need)
            line.add(ticket)

        add("film", 6, is_long=True)
        add("large", 5)
        add("small", 4)
        await asyncio.sleep(0.01)
        assert begun == ["film", "small"]
        ends["film"].set()
        await asyncio.sleep(0.01)
        assert begun == ["film", "small", "large"]
        ends["small"].set()
        ends["large"].set()
        await line.end()

    asyncio.run(go())
