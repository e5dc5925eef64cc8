"""A mail server for tests. Prints `ready`, then a line of JSON for each mail it takes.

What a recipient begins with decides how it is treated: `refused` for good, `later` the first time,
`slow` answers after a second, `silent` never answers. `--user name:password` asks for them.
"""

import asyncio
import json
import sys
from email import message_from_bytes

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Sink:
    def __init__(self):
        self.put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name.startswith("refused"):
            return f"550 5.1.1 <{address}> is unknown here"
        if name.startswith("later") and address not in self.put_off:
            self.put_off.add(address)
            return f"451 4.7.1 <{address}> come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        name = envelope.rcpt_tos[0].split("@")[0]
        if name.startswith("silent"):
            await asyncio.sleep(600)
        if name.startswith("slow"):
            await asyncio.sleep(1)
        mail = message_from_bytes(envelope.content)
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "message_id": mail["Message-ID"],
            "text": mail.get_payload(decode=True).decode(),
        }
        print(json.dumps(taken), flush=True)
        return "250 OK"


def main():
    port = int(sys.argv[1])
    options = {}
    if len(sys.argv) > 3 and sys.argv[2] == "--user":
        user, password = sys.argv[3].encode().split(b":")

        def authenticate(server, session, envelope, mechanism, data):
            is_right = (data.login, data.password) == (user, password)
            return AuthResult(success=is_right, handled=False)

        options = {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": False,
        }
    # a busy machine may take longer than the five seconds that it gives itself
    options["ready_timeout"] = 120
    controller = Controller(Sink(), hostname="127.0.0.1", port=port, **options)
    controller.start()
    print("ready", flush=True)
    sys.stdin.read()
    controller.stop()


main()
