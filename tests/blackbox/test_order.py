"""The order in which a receiver that keeps up gets the events of one message."""
import collections

from harness import LOOPBACK, event, eventually
from test_delivery import Deliveries

STEPS = ["accepted", "delivered", "opened", "clicked"]
MESSAGES = 40


def life_of(message):
    """Events of one message to one recipient, in the order in which they happen."""
    headers = {"headers": {"message-id": f"{message}@mg.example.org"}}
    return [event(step, message=headers, recipient=f"{message}@inbox.example") for step in STEPS]


class Order(Deliveries):
    settings = (LOOPBACK,)

    def setUp(self):
        super().setUp()
        for name in STEPS:
            self.hook(name, self.receiver.url())

    def assert_followed(self, *lives):
        deliveries = self.receiver.wait(len(STEPS) * len(lives))
        got = collections.defaultdict(list)
        for delivery in deliveries:
            got[delivery.event["recipient"]].append(delivery.event["event"])
        wrong = {recipient: steps for recipient, steps in got.items() if steps != STEPS}
        self.assertEqual((len(got), wrong), (len(lives), {}))

    def test_of_one_call(self):
        """Whatever their class: nothing is opened before it is delivered."""
        lives = [life_of(f"one{n}") for n in range(MESSAGES)]
        self.ingest(*(each for life in lives for each in life))
        self.assert_followed(*lives)

    def test_of_calls_in_turn(self):
        lives = [life_of(f"turn{n}") for n in range(MESSAGES)]
        for step in zip(*lives):
            self.ingest(*step)
        self.assert_followed(*lives)

    def test_after_a_backlog(self):
        """A lane that has been behind and is caught up keeps the promise again."""
        self.receiver.script("/hook", 500, 200)
        self.ingest(*(event("opened") for _ in range(2000)))
        eventually(lambda: self.server.metric("eventhorn_lanes_behind") == 0, "the backlog to be gone")
        self.receiver.wait(2001 - 1)
        behind = len(self.receiver.on("/hook"))
        lives = [life_of(f"later{n}") for n in range(MESSAGES)]
        self.ingest(*(each for life in lives for each in life))
        deliveries = self.receiver.wait(behind + len(STEPS) * MESSAGES)[behind:]
        got = collections.defaultdict(list)
        for delivery in deliveries:
            if delivery.event["recipient"].startswith("later"):
                got[delivery.event["recipient"]].append(delivery.event["event"])
        self.assertEqual({steps == STEPS for steps in got.values()}, {True})
