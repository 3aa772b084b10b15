"""Protocol Buffers, as far as tests read them (https://protobuf.dev/programming-guides/encoding/)."""


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a message: (number, value). Whatever is no message fails an assertion."""
    found: list[tuple[int, int | bytes]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found.append((tag >> 3, varint()))
        elif tag & 7 == 1:
            found.append((tag >> 3, int.from_bytes(data[at : at + 8], "little")))
            at += 8
        elif tag & 7 == 2:
            length = varint()
            assert at + length <= len(data)
            found.append((tag >> 3, data[at : at + length]))
            at += length
        else:
            raise AssertionError(f"wire type {tag & 7}")
    return found
