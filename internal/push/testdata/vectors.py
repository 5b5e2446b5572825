#!/usr/bin/env python3
"""Writes vectors.json: pushes as the vendor describes them, made by other means
than the Go code they test: hashlib, and the package cryptography (48.0.0) from
PyPI. The two marked "published" are in the vendor's documents on message push,
for a mini program (JSON) and for a third-party platform (XML); they are checked
here and copied.

    pip install cryptography && python3 vectors.py > vectors.json
"""
import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TOKEN, KEY, APP = "7YvjqCxW2b", "kWxW5w8lqBmEXgKBq2bG3rYyO1oZ0hCvT9uJ4sNdPfR", "wx0123456789abcdef"


def sign(*parts):
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def raw_key(key):
    return base64.b64decode(key + "=")


def cbc(key, data, decrypt=False):
    raw = raw_key(key)
    cipher = Cipher(algorithms.AES(raw), modes.CBC(raw[:16]))
    c = cipher.decryptor() if decrypt else cipher.encryptor()
    return c.update(data) + c.finalize()


def plaintext(message, app, random=b"0123456789abcdef"):
    data = random + struct.pack(">I", len(message)) + message + app.encode()
    pad = 32 - len(data) % 32
    return data + bytes([pad]) * pad, pad


def vector(name, message, token=TOKEN, key=KEY, app=APP, timestamp="1714112445", nonce="415670741"):
    data, pad = plaintext(message.encode(), app)
    encrypted = base64.b64encode(cbc(key, data)).decode()
    return dict(name=name, token=token, key=key, app_id=app, timestamp=timestamp, nonce=nonce, pad=pad,
                signature=sign(token, timestamp, nonce), encrypted=encrypted,
                msg_signature=sign(token, timestamp, nonce, encrypted), message=message)


def published(name, app, timestamp, nonce, signature, msg_signature, encrypted):
    token, key = "AAAAA", "A" * 43
    assert sign(token, timestamp, nonce) == signature
    assert sign(token, timestamp, nonce, encrypted) == msg_signature
    data = cbc(key, base64.b64decode(encrypted), decrypt=True)
    size = struct.unpack(">I", data[16:20])[0]
    assert data == plaintext(data[20:20 + size], app, data[:16])[0]
    return dict(name=name, token=token, key=key, app_id=app, timestamp=timestamp, nonce=nonce, pad=data[-1],
                signature=signature, encrypted=encrypted, msg_signature=msg_signature,
                message=data[20:20 + size].decode())


vectors = [
    published("published, JSON", "wxba5fad812f8e6fb9", "1714112445", "415670741",
              "6c5c811b55cc85e0e1b54100749188c20beb3f5d", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
              "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJG"
              "QqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrf"
              "MZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgR"
              "tWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="),
    published("published, XML", "wx134c8103faa5a59e", "1715943329", "1590219412",
              "cc0c594499c1634947d5b502f158ee518947db27", "6c12a4205838198b8fa631b3220723bb07f1015c",
              "D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE"
              "//1vr7oAbqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5Dkyuz"
              "khQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7"
              "Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/T"
              "K7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmd"
              "nX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg=="),
    vector("an order whose ID no float64 holds",
           '{"ToUserName":"gh_0123456789ab","FromUserName":"oABC","CreateTime":1714112440,"MsgType":"event",'
           '"Event":"channels_ec_order_new","order_info":{"order_id":3705115058471208929}}'),
    vector("text beyond ASCII",
           '{"CreateTime":1714112440,"Event":"channels_ec_order_ext_info_update","备注":"门口那只猫",'
           '"order_info":{"order_id":"3705115058471208928","type":3}}'),
    vector("a key with bits to spare", "bits", key="a" * 42 + "b"),
]
# Each padding once: 16 + 4 + 18 bytes are there before the message.
vectors += [vector(f"padding of {pad}", "x" * (58 - pad)) for pad in range(1, 33)]
assert [v["pad"] for v in vectors[-32:]] == list(range(1, 33))
print("[\n" + ",\n".join(json.dumps(v, ensure_ascii=False) for v in vectors) + "\n]")
