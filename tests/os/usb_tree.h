// A sysfs and a proc in a temporary directory, laid out as the kernel does it: a root hub, and a
// disk of two partitions at port 1-1.
#pragma once

#include <array>
#include <fstream>
#include <string>

#include "os/linux/usb_sysfs.h"
#include "tests/os/temp_dir.h"

namespace usbtwin::tests {

struct UsbTree {
  UsbTree() {
    const std::string disk = "devices/pci/usb1/1-1/1-1:1.0/host0/target0/block/sda";
    Device("devices/pci/usb1", "usb1", {"1d6b", "0002", "1", "1", "480"});
    Device("devices/pci/usb1/1-1", "1-1", {"1234", "5678", "1", "12", "5000"});
    Write("devices/pci/usb1/1-1/bConfigurationValue", "1");
    Write("devices/pci/usb1/1-1/1-1:1.0/bInterfaceNumber", "00");
    Write("devices/pci/usb1/1-1/1-1:1.1/bInterfaceNumber", "0a");
    Link("../../../../../bus/usb/drivers/usb-storage", "devices/pci/usb1/1-1/1-1:1.0/driver");
    Block(disk, "sda", "8:0");
    for (const std::string name : {"sda1", "sda2"}) {
      Block(disk + "/" + name, name, "8:" + name.substr(3));
      Write(disk + "/" + name + "/partition", name.substr(3));
    }
    Block("devices/virtual/block/dm-0", "dm-0", "254:0");
    Link("../../../../virtual/block/dm-0", disk + "/sda2/holders/dm-0");
    File("proc/swaps", "Filename\n");
    File("proc/self/mountinfo", "");
  }

  void File(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(dir.path(name)).parent_path());
    std::ofstream(dir.path(name)) << text;
  }
  void Write(const std::string& name, const std::string& line) { File("sys/" + name, line + "\n"); }
  void Link(const std::string& target, const std::string& name) {
    std::filesystem::create_directories(
        std::filesystem::path(dir.path("sys/" + name)).parent_path());
    std::filesystem::create_symlink(target, dir.path("sys/" + name));
  }
  void Device(const std::string& folder, const std::string& name,
              const std::array<std::string, 5>& facts) {
    const std::array<const char*, 5> files{"idVendor", "idProduct", "busnum", "devnum", "speed"};
    for (size_t index = 0; index < facts.size(); ++index) {
      Write(folder + "/" + files[index], facts[index]);
    }
    Link("../../../" + folder, "bus/usb/devices/" + name);
  }
  void Block(const std::string& folder, const std::string& name, const std::string& number) {
    Write(folder + "/dev", number);
    std::filesystem::create_directories(dir.path("sys/" + folder + "/holders"));
    Link("../../" + folder, "class/block/" + name);
  }

  TempDir dir;
  os::UsbPaths paths{
      .sysfs = dir.path("sys"), .proc = dir.path("proc"), .nodes = dir.path("nodes")};
};

}  // namespace usbtwin::tests
