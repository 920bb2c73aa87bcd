"""Prints the character classes that tiktoken's regular expressions know: "first last class" in hexadecimal, by code
point.
"""

import tiktoken

CLASSES = [r"[\p{Lu}\p{Lt}]", r"\p{Ll}", r"[\p{Lm}\p{Lo}]", r"\p{M}", r"\p{N}", r"\s"]

classes = bytearray(0x110000)
points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
for number, pattern in enumerate(CLASSES, 1):
    bytes_only = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding(name=pattern, pat_str=pattern, mergeable_ranks=bytes_only, special_tokens={})
    for start in range(0, len(points), 200_000):
        for point in bytes(encoding.encode_ordinary("".join(points[start : start + 200_000]))).decode():
            assert classes[ord(point)] == 0, "the classes are disjoint"
            classes[ord(point)] = number
for newline in "\r\n":
    classes[ord(newline)] = len(CLASSES) + 1

start = 0
for point in range(1, 0x110001):
    if point == 0x110000 or classes[point] != classes[start]:
        if classes[start]:
            print(f"{start:x} {point - 1:x} {classes[start]}")
        start = point
