#include "host/scsi_transport.h"

namespace usbtwin::host {

std::optional<Error> RefuseRequest(const ScsiRequest& request, const ScsiTransport& transport,
                                   uint64_t lun_max) {
  const auto invalid = [](const char* text, uint64_t first, uint64_t second) {
    return Error{.kind = ErrorKind::kInvalid, .text = text, .values = {first, second, 0}};
  };
  if (request.cdb.empty() || request.cdb.size() > transport.cdb_length_max()) {
    return invalid("CDB of {} bytes; this transport carries 1 to {}", request.cdb.size(),
                   transport.cdb_length_max());
  }
  if (request.lun > lun_max) {
    return invalid("LUN {}; this transport addresses 0 to {}", request.lun, lun_max);
  }
  if (!request.out.empty() && request.in_length != 0) {
    return invalid("{} bytes out and {} bytes in: a command moves data in one direction",
                   request.out.size(), request.in_length);
  }
  if (request.out.size() > UINT32_MAX) {
    return invalid("{} bytes of data; a command moves at most {}", request.out.size(), UINT32_MAX);
  }
  if (!request.in.empty() && request.in.size() != request.in_length) {
    return invalid("room for {} bytes, but {} are asked for", request.in.size(), request.in_length);
  }
  const bool lends = request.lent != nullptr && transport.lends_data();
  if (request.in.empty() && request.in_length != 0 && !lends) {
    return invalid("{} bytes asked for with no room for them, and this link lends none",
                   request.in_length, 0);
  }
  return std::nullopt;
}

}  // namespace usbtwin::host
