// Linux's vhci_hcd, through its files in sysfs: which ports there are, giving a socket to one, and
// taking it away again. The kernel chooses the hub by the device's speed and the place within it by
// the number, so only a number that its status file prints means the same to all of its files.
// Attach leaves the descriptor to its caller: the kernel has its own reference. One user at a time
// is not assumed: a port that somebody else took first is skipped.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/failure.h"
#include "os/virtual_ports.h"

namespace usbtwin::os {

// A folder of sysfs. Errors are errno.
class SystemFiles {
 public:
  virtual ~SystemFiles() = default;
  virtual Result<std::string, int> Read(const std::string& name) const = 0;
  // In one call, as sysfs wants it. 0 where all is well.
  virtual int Write(const std::string& name, const std::string& text) = 0;
  virtual std::string path(const std::string& name) const = 0;  // for messages
};
std::unique_ptr<SystemFiles> MakeSystemFiles(std::string folder);
// That of the first controller, whose files stand for all.
std::unique_ptr<SystemFiles> MakeVhciFiles();

class Vhci {
 public:
  explicit Vhci(SystemFiles& files) : files_(files) {}

  Result<std::vector<VirtualPort>, app::Failure> List() const;
  // `fd` is a connected stream socket at whose other end the device is served. The number is that
  // of the port.
  Result<uint32_t, app::Failure> Attach(int fd, const VirtualPorts::Device& device);
  Result<void, app::Failure> Detach(uint32_t port);

 private:
  Result<uint32_t, app::Failure> Verify(const VirtualPort& port,
                                        const std::vector<VirtualPort>& before) const;
  app::Failure WriteFailure(const std::string& name, int error) const;

  SystemFiles& files_;
};

}  // namespace usbtwin::os
