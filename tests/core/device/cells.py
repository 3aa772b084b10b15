"""Text on pictures of screens: glyphs are learnt from a picture whose text is known, and found again on others.

A picture is a list of rows of pixels, each 0xRRGGBB. Cells are of 8 x 16 pixels.
"""
import pathlib
import zlib

WIDTH, HEIGHT = 8, 16
#: Every character of ASCII that is seen, in rows that fit on the narrowest screen.
ALPHABET = ["".join(map(chr, range(0x20, 0x50))), "".join(map(chr, range(0x50, 0x7F)))]

#: Two commands of the shell that make a screen show them from its first row on.
SHOW_ALPHABET = "clear; " + "; ".join("echo '" + row.replace("'", "'\\''") + "'" for row in ALPHABET)


def unfilter(kind, line, above, size):
    """A row of a PNG file without its filter (Portable Network Graphics, Third Edition, section 9)."""
    out = bytearray(line)
    for i, byte in enumerate(line):
        left = out[i - size] if i >= size else 0
        up = above[i]
        corner = above[i - size] if i >= size else 0
        if kind == 4:
            nearest = min((abs(left + up - corner - each), order, each)
                          for order, each in enumerate((left, up, corner)))[2]
        out[i] = (byte + (0, left, up, (left + up) // 2, nearest if kind == 4 else 0)[kind]) & 255
    return out


def read_png(path):
    """A file of three or four channels of eight bits, not interlaced."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:8]
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits, colour, interlaced = data[24], data[25], data[28]
    assert (bits, interlaced) == (8, 0) and colour in (2, 6), (bits, colour, interlaced)
    at, packed = 8, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    size = 3 if colour == 2 else 4
    stream, stride = zlib.decompress(packed), width * size
    above, rows = bytes(stride), []
    for y in range(height):
        line = stream[y * (stride + 1):(y + 1) * (stride + 1)]
        above = line[1:] if line[0] == 0 else unfilter(line[0], line[1:], above, size)
        rows.append([red << 16 | green << 8 | blue
                     for red, green, blue in zip(above[::size], above[1::size], above[2::size])])
    return rows


def shape(picture, row, column):
    """Which pixels of a cell are not ground, which the picture's last pixel is."""
    ground = picture[-1][-1]
    left = column * WIDTH
    return tuple(pixel != ground for line in picture[row * HEIGHT:(row + 1) * HEIGHT]
                 for pixel in line[left:left + WIDTH])


def learn(picture, first=0):
    """The glyphs of a picture that shows ALPHABET from row `first` on."""
    glyphs = {}
    for row, letters in enumerate(ALPHABET):
        for column, letter in enumerate(letters):
            before = glyphs.setdefault(shape(picture, first + row, column), letter)
            assert before == letter, f"'{before}' and '{letter}' look alike"
    return glyphs


def read(picture, glyphs):
    """The text of a picture, row by row without blanks at the end; what is no glyph is None's sign, a NUL."""
    rows, columns = len(picture) // HEIGHT, len(picture[0]) // WIDTH
    return ["".join(glyphs.get(shape(picture, row, column), "\0") for column in range(columns)).rstrip()
            for row in range(rows)]


def report_rows(console, columns, rows):
    """What a screen shows of a panic, of which the console printed all (core/device/console/panic_screen.hpp)."""
    begin = console.index("KERNEL PANIC")
    lines = console[begin:].replace("\r", "").rstrip("\n").split("\n")
    broken = [line[at:at + columns] for line in lines for at in range(0, max(len(line), 1), columns)]
    if len(broken) > rows:
        last = min(4, (rows - 1) // 4)
        first = rows - 1 - last
        note = f"... {len(broken) - first - last} rows more, on the console"
        broken = broken[:first] + [note] + broken[len(broken) - last:]
    return [row.rstrip() for row in broken] + [""] * (rows - len(broken))
