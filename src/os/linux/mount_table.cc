#include "os/linux/mount_table.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace usbtwin::os {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Takes what is before the mark off the front, and the mark.
std::string_view TakeUntil(std::string_view& text, char mark) {
  const size_t end = std::min(text.find(mark), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

bool IsOctal(std::string_view digits) {
  return digits.size() == 3 && digits.find_first_not_of("01234567") == std::string_view::npos;
}

// The kernel writes white space and backslashes as "\040".
std::string Unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const std::string_view digits = text.substr(1, std::min<size_t>(3, text.size() - 1));
    if (text[0] == '\\' && IsOctal(digits)) {
      const int code = (digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0');
      plain.push_back(static_cast<char>(code));
      text.remove_prefix(4);
    } else {
      plain.push_back(text[0]);
      text.remove_prefix(1);
    }
  }
  return plain;
}

}  // namespace

MountTable MountTable::Read(const std::string& proc) {
  return Parse(ReadFile(proc + "/self/mountinfo"), ReadFile(proc + "/swaps"));
}

// proc(5): "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue".
MountTable MountTable::Parse(std::string_view mountinfo, std::string_view swaps) {
  MountTable table;
  while (!mountinfo.empty()) {
    std::string_view line = TakeUntil(mountinfo, '\n');
    Mount mount;
    TakeUntil(line, ' ');
    TakeUntil(line, ' ');
    mount.number = TakeUntil(line, ' ');
    TakeUntil(line, ' ');
    mount.place = Unescape(TakeUntil(line, ' '));
    // Optional fields end with a lone dash.
    while (!line.empty() && TakeUntil(line, ' ') != "-") continue;
    TakeUntil(line, ' ');
    mount.source = Unescape(TakeUntil(line, ' '));
    if (!mount.place.empty()) table.mounts_.push_back(std::move(mount));
  }
  TakeUntil(swaps, '\n');  // the heading
  while (!swaps.empty()) {
    std::string_view line = TakeUntil(swaps, '\n');
    table.swaps_.push_back(Unescape(TakeUntil(line, ' ')));
  }
  return table;
}

std::vector<std::string> MountTable::PlacesOf(const BlockName& block) const {
  std::vector<std::string> places;
  for (const Mount& mount : mounts_) {
    const bool same = !block.number.empty() && mount.number == block.number;
    if (same || mount.source == "/dev/" + block.name) places.push_back(mount.place);
  }
  return places;
}

bool MountTable::IsSwap(const std::string& name) const {
  return std::find(swaps_.begin(), swaps_.end(), "/dev/" + name) != swaps_.end();
}

}  // namespace usbtwin::os
