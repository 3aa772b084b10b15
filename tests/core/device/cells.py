"""Text on pictures of screens: glyphs are learnt from a picture whose text is known, and found again on others.

A picture is a list of rows of pixels, each 0xRRGGBB. Cells are of 8 x 16 pixels.
"""

WIDTH, HEIGHT = 8, 16
#: Every character of ASCII that is seen, in rows that fit on the narrowest screen.
ALPHABET = ["".join(map(chr, range(0x20, 0x50))), "".join(map(chr, range(0x50, 0x7F)))]

#: Two commands of the shell that make a screen show them from its first row on.
SHOW_ALPHABET = "clear; " + "; ".join("echo '" + row.replace("'", "'\\''") + "'" for row in ALPHABET)


def shape(picture, row, column):
    """Which pixels of a cell are not ground, which the picture's last pixel is."""
    ground = picture[-1][-1]
    left = column * WIDTH
    return tuple(pixel != ground for line in picture[row * HEIGHT:(row + 1) * HEIGHT]
                 for pixel in line[left:left + WIDTH])


def shows_alphabet(picture, first=0):
    """Whether each letter of ALPHABET but the blank has come to the picture, in part at least."""
    return all(any(shape(picture, first + row, column)) or letter == " "
               for row, letters in enumerate(ALPHABET) for column, letter in enumerate(letters))


def learn(picture, first=0):
    """The glyphs of a picture that shows ALPHABET from row `first` on."""
    glyphs = {}
    for row, letters in enumerate(ALPHABET):
        for column, letter in enumerate(letters):
            before = glyphs.setdefault(shape(picture, first + row, column), letter)
            assert before == letter, f"'{before}' and '{letter}' look alike"
    return glyphs


def read(picture, glyphs):
    """The text of a picture, row by row without blanks at the end; NUL where there is no glyph."""
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
