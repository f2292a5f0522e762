"""Reads C++ as far as tidy.py needs it: literals, includes, statements, function bodies."""
import re

CODE = (".h", ".cc", ".c")

LITERAL = re.compile(r"""
    //[^\n]*                              # to the end of the line
  | /\*.*?\*/
  | R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"
  | "(?:\\.|[^"\\\n])*"
  | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'   # not a digit separator
""", re.VERBOSE | re.DOTALL)


# What may stand before a co_await in its statement: nothing, co_return, `name =`, `type name =`.
LONE_AWAIT = re.compile(r"\s*(co_return|([\w:<>,*&\s]+\s)?[\w.]+(->\w+)?\s*=)?\s*")
CONTROL = re.compile(r"\s*(else\b(?!\s*if)|case\s[\w:\s]+:(?!:)|(else\s+)?(if|for|while)\s*(?=\())")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


class File:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        # Same positions, but comments and literals are spaces; in `body` so are preprocessor lines.
        self.code = LITERAL.sub(blank, text) if path.endswith(CODE) else text
        self.body = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, self.code, flags=re.MULTILINE)
        self.includes = []  # (line, header, quoted)
        if path.endswith(CODE):
            for number, line in enumerate(self.lines, 1):
                found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
                if found:
                    self.includes.append((number, found.group(2), found.group(1) == '"'))

    def line_at(self, position):
        return self.text.count("\n", 0, position) + 1


def statement_before(code, position):
    """What leads to `position` in its statement, conditions left out; None inside parentheses."""
    depth = 0
    start = position
    while start > 0:
        letter = code[start - 1]
        if letter == ")":
            depth += 1
        elif letter == "(":
            if depth == 0:
                return None
            depth -= 1
        elif letter in ";{}" and depth == 0:
            break
        start -= 1
    text = code[start:position]
    while True:  # if (...), else, for (...), while (...), case x:
        found = CONTROL.match(text)
        if not found:
            return text
        text = text[found.end():]
        if found.group(3):
            text = text[closing(text, 0) + 1:]


def statement_after(code, position):
    depth = 0
    for index in range(position, len(code)):
        depth += {"(": 1, ")": -1}.get(code[index], 0)
        if code[index] == ";" and depth <= 0:
            return code[position:index]
    return code[position:]


def closing(text, opening):
    """The index of the parenthesis that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return len(text)


def function_bodies(code):
    """(opening, closing) positions of the braces round each function body outside functions."""
    bodies = []
    scopes = []  # (kind, position): "space" holds functions, "body" is one, "other" neither
    start = 0  # of the text that leads to the next brace
    for found in re.finditer(r"[{};]", code):
        position = found.start()
        if found.group() == "{":
            lead = code[start:position].strip()
            if scopes and scopes[-1][0] != "space":
                kind = "other"
            elif re.search(r"\b(namespace|class|struct|union|extern)\b[^()=]*$", lead):
                kind = "space"
            elif ")" in lead and not re.search(r"=\s*$|\benum\b", lead):
                kind = "body"
            else:
                kind = "other"
            scopes.append((kind, position))
        elif found.group() == "}" and scopes:
            kind, opening = scopes.pop()
            if kind == "body":
                bodies.append((opening, position))
        start = position + 1
    return bodies
