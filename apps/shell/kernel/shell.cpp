// See shell.hpp.
#include "apps/shell/kernel/shell.hpp"

#include "apps/shell/kernel/serial_seat.hpp"
#include "apps/shell/kernel/session.hpp"

namespace twofold::shell {

namespace {

using SessionBox = memory::Box<Session, memory::KernelHeap>;

/// A session is too large for a stack.
template<class Use>
u8 with_session(boot::Kernel& kernel, Session::Kind kind, Use const& use) {
    SerialSeat seat(kernel);
    auto const session = SessionBox::create(*kernel.heap, kernel, seat, kind);
    if (!session) {
        seat.write("there is no memory for a session\n");
        return boot::status::failure;
    }
    return use(*session.value());
}

} // namespace

boot::LineRunner const line_runner = {
    .run =
        [](boot::Kernel& kernel, std::string_view line) {
            return with_session(kernel, Session::Kind::program, [line](Session& session) {
                return session.run_text(line);
            });
        },
    .converse =
        [](boot::Kernel& kernel) {
            bool const is_person = kernel.options.console == boot::ConsoleMode::interactive;
            return with_session(
                kernel, is_person ? Session::Kind::person : Session::Kind::program,
                [](Session& session) { return session.run(); });
        }};

} // namespace twofold::shell
