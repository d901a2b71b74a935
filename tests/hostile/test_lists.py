"""What operators list, where there are many."""
import secrets

from harness import event
from suite import PARKING, Hostile, endpoint_id, scaled


class Lists(Hostile):
    """L17."""

    settings = (*PARKING, "delivery.timeout=10m", "delivery.drain_timeout=1s")

    def test_pages_hold_everything_once(self):
        """Domains, lanes and endpoints, of which delivery knows some and the configuration all."""
        count = scaled(150)
        port = self.farm.start("no_answer")
        busy = [port.url(f"/busy/{n}") for n in range(count)]
        idle = [port.url(f"/idle/{n}") for n in range(count)]
        domains = []
        for one, other in zip(busy, idle):
            domains.append(self.server.add_domain(f"l{secrets.token_hex(6)}.example.org"))
            self.server.hook(domains[-1], "delivered", one)
            self.server.hook(domains[-1], "opened", other)
            self.ingest(domains[-1], event())
        listed = [item["id"] for item in self.items("endpoints", limit=70)]
        self.assertEqual(listed, sorted(endpoint_id(url) for url in busy + idle))
        lanes = self.items("lanes", limit=70)
        self.assertEqual([int(lane["id"]) for lane in lanes], sorted({int(lane["id"]) for lane in lanes}))
        self.assertEqual(sorted(lane["url"] for lane in lanes), sorted(busy + idle))
        self.assertEqual(sum(lane["backlog"]["events"] for lane in lanes), count)
        names = [item["name"] for skip in range(0, count + 100, 100)
                 for item in self.server.get(f"/v3/domains?limit=100&skip={skip}").json["items"]]
        self.assertEqual(names, sorted(domains))
        paused = self.server.call("POST", f"/eventhorn/v1/endpoints/{endpoint_id(busy[3])}/pause")
        self.assertEqual(paused.status, 200, paused)
        self.assertEqual([item["url"] for item in self.items("endpoints", state="paused")], [busy[3]])
        self.assertEqual(len(self.items("endpoints", state="active", limit=70)), 2 * count - 1)
        self.assertEqual([item["url"] for item in self.items("endpoints", url=idle[5])], [idle[5]])
        self.assertEqual(self.server.get("/eventhorn/v1/endpoints/0123456789abcdef").status, 404)
