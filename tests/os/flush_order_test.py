#!/usr/bin/env python3
"""A status of GOOD after SYNCHRONIZE CACHE, or after a WRITE with FUA, means that fdatasync has
returned: shown by a trace of the system calls of flush-order (its only argument)."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # Meson's exit status for a test that could not run

CALL = re.compile(r'^\d+ +(?:(\w+)\(|<\.\.\. (\w+) resumed>)(.*)$')
MARK = re.compile(r'"(COMMAND|CSW) ([^"]*)"')


def events(trace):
    """The trace as a list of events: 'COMMAND x', 'CSW tag', 'pwrite64 done', 'fdatasync begins',
    'fdatasync done'. A call that failed is an error here."""
    found = []
    for line in trace.splitlines():
        call = CALL.match(line)
        if not call:
            continue
        begun, resumed, rest = call.groups()
        name = begun or resumed
        mark = MARK.search(rest)
        if name == 'write':
            if mark:
                found.append(' '.join(mark.groups()))
            continue
        if begun and name == 'fdatasync':
            found.append('fdatasync begins')
        if not rest.endswith('<unfinished ...>'):
            result = rest.rpartition('= ')[2]
            if not result.isdigit():
                raise AssertionError(f'{name} failed: {line}')
            found.append(name + ' done')
    return found


def commands(found):
    """Splits the events by command: a list of (name, events up to and including its CSW)."""
    split = []
    for event in found:
        if event.startswith('COMMAND '):
            split.append((event.removeprefix('COMMAND '), []))
        elif split:
            split[-1][1].append(event)
    return split


def check(trace):
    """Raises AssertionError unless each command did its work before its status."""
    expected = {
        'TEST UNIT READY': [],
        'WRITE': ['pwrite64 done'],  # the cache may keep it
        'SYNCHRONIZE CACHE': ['fdatasync begins', 'fdatasync done'],
        'WRITE FUA': ['pwrite64 done', 'fdatasync begins', 'fdatasync done'],
    }
    seen = commands(events(trace))
    names = [name for name, _ in seen]
    assert names == ['TEST UNIT READY'] * 2 + ['WRITE', 'SYNCHRONIZE CACHE', 'WRITE FUA'], names
    for name, work in seen:
        marks = [event for event in work if event.startswith('CSW ')]
        assert marks, f'{name}: no status'
        before = work[:work.index(marks[0])]
        # A large write may take several calls; what counts is that all came before the next step.
        once = [event for index, event in enumerate(before) if before[index - 1:index] != [event]]
        assert once == expected[name], f'{name}: {before} before its status'
        late = [event for event in work[len(before):] if not event.startswith('CSW ')]
        assert not late, f'{name}: {late} after its status'


def refuses(trace):
    try:
        check(trace)
    except AssertionError:
        return True
    return False


GOOD_TRACE = '''\
7 write(5, "COMMAND TEST UNIT READY", 23) = 23
7 write(5, "CSW 1", 5) = 5
7 write(5, "CSW 2", 5) = 5
7 write(5, "COMMAND TEST UNIT READY", 23) = 23
7 write(5, "CSW 3", 5) = 5
7 write(5, "COMMAND WRITE", 13) = 13
7 pwrite64(3, "ZZ"..., 4096, 4096) = 4096
7 write(5, "CSW 4", 5) = 5
7 write(5, "COMMAND SYNCHRONIZE CACHE", 25) = 25
8 fdatasync(3 <unfinished ...>
8 <... fdatasync resumed>) = 0
7 write(5, "CSW 5", 5) = 5
7 write(5, "COMMAND WRITE FUA", 17) = 17
7 pwrite64(3, "ZZ"..., 4096, 8192) = 4096
8 fdatasync(3) = 0
7 write(5, "CSW 6", 5) = 5
'''


def self_test():
    """The check accepts what is right and refuses what is wrong."""
    check(GOOD_TRACE)
    lines = GOOD_TRACE.splitlines(True)
    for index in (6, 10, 13, 14):  # swapped with the line behind it: work or status comes too late
        wrong = lines[:index] + [lines[index + 1], lines[index]] + lines[index + 2:]
        assert refuses(''.join(wrong)), f'accepted: {wrong}'
    for index in (6, 10, 13, 14, 15):
        assert refuses(''.join(lines[:index] + lines[index + 1:])), f'accepted without {index}'
    assert refuses(GOOD_TRACE.replace('fdatasync(3) = 0', 'fdatasync(3) = -1 EIO (error)'))


def main():
    self_test()
    if not shutil.which('strace'):
        print('skipped: strace is not installed')
        return SKIPPED
    if subprocess.run(['strace', '-o', os.devnull, 'true'], capture_output=True).returncode != 0:
        print('skipped: tracing a process is not permitted here')
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, 'disk.img')
        with open(image, 'wb') as file:
            file.truncate(1 << 20)
        trace = os.path.join(folder, 'trace')
        # LeakSanitizer is a tracer itself and gives up under another one.
        environment = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')
        subprocess.run(['strace', '-f', '-o', trace, '-e', 'trace=pwrite64,fdatasync,write',
                        sys.argv[1], image], check=True, env=environment)
        with open(trace, encoding='ascii', errors='replace') as file:
            text = file.read()
    try:
        check(text)
    except AssertionError as error:
        print(error, text, sep='\n')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
