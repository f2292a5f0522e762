// A user's first program with the installed library: it asks a device who it is, reads its first
// block, and shows what a refusal looks like. Build it with
//   c++ -std=c++20 example_send_cdb.cc $(pkg-config --cflags --libs usbtwin)
// and name a device (1234:5678, emu:disk.img, ...); without one it uses a disk in memory.
#include <usbtwin/owned_system.h>
#include <usbtwin/send_cdb.h>

#include <cstdio>
#include <cstdlib>

namespace app = usbtwin::app;

namespace {

void Expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "expected: %s\n", what);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const char* device_string = argc > 1 ? argv[1] : "emu:?size=1M";
  const usbtwin::os::OwnedSystem system = usbtwin::os::MakeOwnedSystem();

  // One command: opened, sent and closed in one call. INQUIRY, 36 bytes.
  const app::CdbResult inquiry = app::SendCdb(
      *system, {.device = device_string}, {.cdb = {0x12, 0, 0, 0, 36, 0}, .data_in_length = 36});
  if (!inquiry.good()) {
    std::fprintf(stderr, "%s: %s\n", app::Name(inquiry.outcome), inquiry.text.c_str());
    return 1;
  }
  Expect(inquiry.data_in.size() == 36, "36 bytes");
  const std::string vendor(inquiry.data_in.begin() + 8, inquiry.data_in.begin() + 16);
  const std::string product(inquiry.data_in.begin() + 16, inquiry.data_in.begin() + 32);
  std::printf("%s %s\n", vendor.c_str(), product.c_str());

  // Many commands: the device stays open.
  app::OpenResult opened = app::ScsiDevice::Open(*system, {.device = device_string});
  Expect(opened.device != nullptr, "an open device");
  std::printf("%s, %u unit(s)\n", opened.device->facts().transport.c_str(),
              opened.device->facts().luns_count);
  const app::CdbResult block =
      opened.device->Send({.cdb = {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}, .data_in_length = 512});
  Expect(block.good(), "a block");
  Expect(block.length_wire == 512 && block.residue == 0, "512 bytes, and the device agrees");

  // A refusal is no error of the transport: the device answered, with status and sense.
  const app::CdbResult refused = opened.device->Send(
      {.cdb = {0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0}, .data_in_length = 512});
  Expect(refused.outcome == app::CdbOutcome::kCompleted, "an answer");
  Expect(refused.scsi_status == 0x02, "CHECK CONDITION");
  Expect(refused.sense.has_value(), "sense data");
  Expect(refused.sense->key == 5 && refused.sense->asc == 0x21, "05/21/00");
  std::printf("refused: %s, %s\n", refused.sense->key_text.c_str(),
              refused.sense->additional_text.c_str());
  Expect(opened.device->Close().empty(), "a clean end");
  return 0;
}
