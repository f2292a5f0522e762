// Which block devices are in use as file systems or swap space: /proc/self/mountinfo and
// /proc/swaps, parsed. For deciding whether a disk may lose its driver.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace usbtwin::os {

class MountTable {
 public:
  static MountTable Read(const std::string& proc);
  static MountTable Parse(std::string_view mountinfo, std::string_view swaps);

  struct BlockName {
    std::string name;    // "sda1"
    std::string number;  // "8:1"; "" where it is not known
  };
  // Where it is mounted. File systems over several devices have a number of their own, and are
  // known by the device they name.
  std::vector<std::string> PlacesOf(const BlockName& block) const;
  bool IsSwap(const std::string& name) const;

 private:
  struct Mount {
    std::string number;
    std::string place;
    std::string source;
  };
  std::vector<Mount> mounts_;
  std::vector<std::string> swaps_;  // paths
};

}  // namespace usbtwin::os
