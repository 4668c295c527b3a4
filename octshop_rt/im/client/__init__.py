"""The Python chat client, for bots, load tests and programs of others: everything a phone's client does, headless.

    async with ImClient("wss://mall.example/im", ticket=fresh_ticket, device="bot-1", on_entry=print) as client:
        c = await client.open(shop_id)
        s = await client.say(c, "在吗?")

`client` is the whole of it; `track`, `frames` and `outbox` are its parts.
"""
