"""Installs into a folder of its own, and builds and runs the example as a user would: with the
installed headers and library, and the flags that pkg-config gives. Arguments: the build's folder,
the example's source, and the compiler. Skipped where there is no pkg-config."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile


def run(command, **variables):
    done = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def main(build, source, *compiler):
    if shutil.which("pkg-config") is None:
        print("SKIP: install: no pkg-config")
        return 77
    with tempfile.TemporaryDirectory(prefix="usbtwin-install-") as root:
        run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root])
        [description] = glob.glob(f"{root}/**/usbtwin.pc", recursive=True)
        # Nothing but the installed files: neither our own include folders nor private headers.
        headers = sorted(map(os.path.basename, glob.glob(f"{root}/**/*.h", recursive=True)))
        assert headers == ["owned_system.h", "send_cdb.h"], headers
        libraries = os.path.dirname(os.path.dirname(description))
        flags = run(["pkg-config", "--cflags", "--libs", "usbtwin"],
                    PKG_CONFIG_SYSROOT_DIR=root, PKG_CONFIG_PATH=os.path.dirname(description))
        assert f"-L{libraries}" in flags, flags
        assert "toml" not in flags, flags  # that is inside the library
        program = os.path.join(root, "example")
        run([*compiler, "-std=c++20", source, "-o", program, *flags.split()])
        text = run([program], LD_LIBRARY_PATH=libraries)
        assert "refused: Illegal Request" in text, text
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
