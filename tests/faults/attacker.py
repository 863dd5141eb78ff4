"""An attack on a gateway, in a process of its own: `python -m tests.faults.attacker KIND PORT …`.

Says `go` once it begins, and in the end how many inputs it tried and what became of them, as JSON.  Bounded in
time and number, and last in line for the processor, since the gateway has to share it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import sys
import time
from itertools import count
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

import orjson
import uvloop

from tests.faults.attack import Attack
from tests.faults.raider import PING, TEXT, Raider
from tests.hostile import NAMES, NO_NAMES, masked

NICE: Final = 15
TURN_S: Final = 0.01
"""Between two bursts of somebody who sends so much per second."""
LEAVE_S: Final = 0.001
CONT: Final = 0
RSV1: Final = 0x40
SUBPROTOCOL: Final = "Sec-WebSocket-Protocol: tickwire.v1"
DEFLATE: Final = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
FRAGMENTS: Final = 1_000_000
LETTERS: Final = ascii_uppercase
PER_CONNECTION: Final = 50
"""Commands of somebody who stays below the limit; some are about 100 names, and count as five."""


# ------------------------------------------------------------------------------------------------------ the kinds


async def storm(attack: Attack) -> None:
    """F15: *clients* connections within *seconds*, held until the end; every other one offers our subprotocol."""
    held: list[Raider] = []

    async def come(number: int) -> None:
        raider = await attack.enter(*([SUBPROTOCOL] if number % 2 else []))
        if raider is None:
            return
        held.append(raider)
        attack.outcomes[await raider.first()] += 1

    began, comers = time.monotonic(), []
    for number in range(attack.clients):
        attack.inputs += 1
        comers.append(asyncio.create_task(come(number)))
        await asyncio.sleep(began + attack.seconds * number / attack.clients - time.monotonic())
    await asyncio.gather(*comers)
    for raider in held:  # not all in the same moment: 900 ends at once are 45 ms of a loop, and another test's
        raider.leave()
        await asyncio.sleep(LEAVE_S)


async def flood(attack: Attack) -> None:
    """F16: each client sends *rate* commands a second until it is thrown out, and comes again."""
    await attack.each(_flood)


async def _flood(attack: Attack, number: int) -> None:
    raider = await attack.enter()
    if raider is None:
        return
    dice, ids, batch = random.Random(number), count(1), max(1, int(attack.rate * TURN_S))
    ending = asyncio.create_task(raider.end(attack.answers))
    while not ending.done() and not attack.over:
        frames = []
        for _ in range(batch):
            op = dice.choice(["subscribe", "unsubscribe"])
            command = {"op": op, "id": next(ids), "symbols": dice.sample(attack.symbols, 3)}
            frames.append(masked(TEXT, orjson.dumps(command)))
        attack.inputs += batch
        if not await raider.send(b"".join(frames)):
            break
        await asyncio.sleep(TURN_S)
    if not ending.done() and attack.over:
        raider.leave()
        await ending
        return
    attack.outcomes[await ending] += 1
    raider.leave()


async def churn(attack: Attack) -> None:
    """Each client follows all symbols and leaves them again, *rate* times a second, and no limit is passed."""
    await attack.each(_churn)


async def _churn(attack: Attack, number: int) -> None:
    del number
    raider = await attack.enter()
    if raider is None:
        return
    ending = asyncio.create_task(raider.end(attack.answers))
    for identity in count(1):
        if ending.done() or attack.over:
            break
        op = "subscribe" if identity % 2 else "unsubscribe"
        await raider.say({"op": op, "id": identity, "symbols": attack.symbols})
        attack.inputs += 1
        await asyncio.sleep(1 / attack.rate)
    if ending.done():
        attack.outcomes[await ending] += 1
        raider.leave()
    else:
        raider.leave()
        await ending
        attack.outcomes["within the limits"] += 1


async def symbols(attack: Attack) -> None:
    """F17: each client asks for names that are no symbols, slowly enough, and waits for each answer."""
    await attack.each(_symbols)


async def _symbols(attack: Attack, number: int) -> None:
    raider = await attack.enter()
    if raider is None:
        return
    dice = random.Random(number)
    for identity in range(1, PER_CONNECTION + 1):
        await raider.say(
            {
                "op": dice.choice(["subscribe", "unsubscribe", "subscribe"]),
                "id": identity,
                "symbols": _names(dice),
                "resume": {dice.choice(NAMES): {"epoch": 1, "seq": 1}},
            }
        )
        attack.inputs += 1
        answer = await raider.answer()
        while answer["op"] not in {"error", "subscribed", "unsubscribed", "close"} or (
            answer.get("code") == "bad_resume"  # said before the answer
        ):
            answer = await raider.answer()
        attack.outcomes[_outcome(answer)] += 1
        if answer["op"] == "close" or attack.over:
            break
    raider.leave()


def _names(dice: random.Random) -> list[Any]:
    """Names of which none may be subscribed: wrong ones, ones that nobody trades, ten thousand."""
    match dice.randrange(8):
        case 0:
            # A frame of 64 KiB takes ten thousand names of three characters.
            return [a + b + c for a in LETTERS for b in LETTERS for c in LETTERS][:10_000]
        case 1:
            return [f"UNKNOWN{dice.randrange(10_000)}" for _ in range(100)]
        case 2:
            return ["*", dice.choice(NAMES)]
        case 3:
            return [dice.choice(NO_NAMES)]
        case _:
            return [dice.choice(NAMES) for _ in range(dice.choice([1, 1, 5]))]


def _outcome(answer: dict[str, Any]) -> str:
    match answer["op"]:
        case "error":
            return f"error {answer['code']}"
        case "subscribed":
            return "subscribed" if answer["symbols"] else "rejected"
        case "close":
            return str(answer["how"])
    return str(answer["op"])


async def frames(attack: Attack) -> None:
    """F24: headers of 2^63 bytes, a million fragments, compressed frames that nobody agreed on."""
    await attack.each(_frames)


async def _frames(attack: Attack, number: int) -> None:
    kind = ("huge", "large", "fragments", "bomb")[(number + attack.connections) % 4]
    raider = await attack.enter(DEFLATE)
    if raider is None:
        return
    if "sec-websocket-extensions" in raider.headers:
        attack.outcomes["compression agreed on"] += 1
    if kind == "huge":
        await raider.send(b"\x81\xff" + (2**63).to_bytes(8, "big") + bytes(4) + bytes(60_000))
        attack.inputs += 1
    elif kind == "large":
        await raider.send(masked(TEXT, b"x" * 66_000))
        attack.inputs += 1
    elif kind == "bomb":
        await raider.send(masked(TEXT, b"\xec\xc1\x01\r\x00\x00\x00\xc2\xa0" * 7_000, reserved=RSV1))
        attack.inputs += 1
    else:
        await _fragments(attack, raider)
    attack.outcomes[f"{kind}: {await raider.end()}"] += 1
    raider.leave()


async def _fragments(attack: Attack, raider: Raider) -> None:
    await raider.send(masked(TEXT, fin=False))
    thousand = masked(CONT, fin=False) * 1_000
    for _ in range(FRAGMENTS // 1_000):
        attack.inputs += 1_000
        if not await raider.send(thousand):
            return


async def pings(attack: Attack) -> None:
    """F25: each client sends *rate* pings a second, and reads nothing until it is over."""
    await attack.each(_pings)


async def _pings(attack: Attack, number: int) -> None:
    del number
    raider = await attack.enter()
    if raider is None:
        return
    raider.deafen()
    ping, batch = masked(PING, b"p" * 125), max(1, int(attack.rate * TURN_S))
    sent = True
    while sent and not attack.over:
        sent = await raider.send(ping * batch)
        attack.inputs += batch
        await asyncio.sleep(TURN_S)
    raider.listen()
    attack.outcomes[await raider.end()] += 1
    raider.leave()


async def tokens(attack: Attack) -> None:
    """Tokens that let nobody in: in a header, in a subprotocol, and as the first message."""
    await attack.each(_tokens)


async def _tokens(attack: Attack, number: int) -> None:
    del number
    for name, token in attack.table.items():
        attack.inputs += 3
        raider = Raider(attack.port, attack.source)
        attack.outcomes[f"{name} in a header: {await raider.knock(f'Authorization: Bearer {token}')}"] += 1
        raider.leave()
        raider = Raider(attack.port, attack.source)
        status = await raider.knock(f"{SUBPROTOCOL}, bearer.{token}")
        how = await raider.first() if status == "101" else status
        attack.outcomes[f"{name} in a subprotocol: {how}"] += 1
        raider.leave()
        raider = Raider(attack.port, attack.source)
        how = await raider.knock()
        if how == "101" and (how := await raider.first()) == "welcome":
            await raider.say({"op": "auth", "id": 1, "token": token})
            how = await raider.end()
        attack.outcomes[f"{name} in a message: {how}"] += 1
        raider.leave()
        attack.connections += 3


async def origins(attack: Attack) -> None:
    """Pages of other sites, whose visitors have a good token."""
    await attack.each(_origins)


async def _origins(attack: Attack, number: int) -> None:
    del number
    for name, origin in attack.table.items():
        for offer in (f"Authorization: Bearer {attack.token}", f"{SUBPROTOCOL}, bearer.{attack.token}"):
            raider = Raider(attack.port, attack.source)
            status = await raider.knock(f"Origin: {origin}", offer)
            how = await raider.first() if status == "101" else status
            attack.outcomes[f"{name}: {how}"] += 1
            attack.inputs += 1
            attack.connections += 1
            raider.leave()


KINDS: Final = {kind.__name__: kind for kind in (storm, flood, churn, symbols, frames, pings, tokens, origins)}


async def _attack(kind: str, attack: Attack) -> dict[str, Any]:
    began = time.monotonic()
    attack.until = began + attack.seconds
    await KINDS[kind](attack)
    return {
        "inputs": attack.inputs,
        "connections": attack.connections,
        "outcomes": dict(attack.outcomes),
        "answers": dict(attack.answers),
        "seconds": time.monotonic() - began,
    }


def main() -> None:
    """Attack as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("port", type=int)
    parser.add_argument("--source", default="127.0.0.1")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--symbols", default="A,B,C")
    parser.add_argument(
        "--table", type=Path, help="a JSON file: a good `token`, and a `table` of bad ones by name"
    )
    given = vars(parser.parse_args())
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kind, table, given["symbols"] = given.pop("kind"), given.pop("table"), given["symbols"].split(",")
    given |= {"token": "", "table": {}} if table is None else orjson.loads(table.read_bytes())
    sys.stdout.write("go\n")
    sys.stdout.flush()
    sys.stdout.write(orjson.dumps(uvloop.run(_attack(kind, Attack(**given)))).decode() + "\n")


if __name__ == "__main__":
    main()
