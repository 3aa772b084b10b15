// The recorder's state and life: environment, file, lock, fork. See recorder.hpp.
#include "apps/allocation/record/recorder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration): unistd.h has it for GNU only

namespace twofold::allocation {

namespace {

// The variable that asks for a recording has as many letters as the one that tells descendants of
// it: the first process renames it in place, which every way of handing on an environment carries.
constexpr std::string_view ask_variable = "TWOFOLD_RECORD=";
constexpr std::string_view told_variable = "TWOFOLD_PARENT=";
constexpr std::string_view children_variable = "TWOFOLD_RECORD_CHILDREN=";
static_assert(ask_variable.size() == told_variable.size());

constexpr usize path_bytes_max = 4096;
constexpr int attempts_max = 1000; ///< names tried for one process that runs several programs
constexpr mode_t file_mode = 0644;

using Path = FixedString<path_bytes_max>;

struct Recorder {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    /// 1 while this process is recorded. It lies on a page that a fork wipes, so that a child made
    /// without the C library's knowledge never writes into its parent's file.
    Atomic<u32>* active = nullptr;
    int file = -1;
    u32 threads = 0;
    bool records_children = false;
    bool was_active = false; ///< at the latest fork; the child cannot read it from the wiped page
    Path path;
    LiveTable live;
    TraceWriter writer;
};

constinit Recorder g_recorder;

[[gnu::tls_model("initial-exec")]] constinit thread_local u32 t_inside = 0;
/// The thread's number in the trace plus one; 0 before its first event.
[[gnu::tls_model("initial-exec")]] constinit thread_local u32 t_thread = 0;

class Locked {
public:
    Locked() { pthread_mutex_lock(&g_recorder.lock); }
    ~Locked() { pthread_mutex_unlock(&g_recorder.lock); }
    Locked(Locked const&) = delete;
    Locked& operator=(Locked const&) = delete;
};

void say(std::string_view text) {
    FixedString<path_bytes_max + 256> line;
    (void)line.append("twofold-record: ");
    (void)line.append(text);
    (void)line.append("\n");
    [[maybe_unused]] ssize_t const written = write(STDERR_FILENO, line.view().data(), line.size());
}

bool write_at(void* context, u64 offset, std::span<std::byte const> bytes) {
    int const file = *static_cast<int const*>(context);
    while (!bytes.empty()) {
        ssize_t const written =
            pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        bytes = bytes.subspan(static_cast<usize>(written));
        offset += static_cast<u64>(written);
    }
    return true;
}

/// The value of a variable in the environment, null if it has none.
char* find_variable(std::string_view name_and_sign) {
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, name_and_sign.data(), name_and_sign.size()) == 0) {
            return *entry + name_and_sign.size();
        }
    }
    return nullptr;
}

void append_number(Path& path, u64 number) {
    char digits[20];
    usize count = 0;
    do {
        digits[count++] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) {
        (void)path.append(std::string_view(&digits[--count], 1));
    }
}

/// The file of a descendant: the first process's name, this process, and which of its programs it
/// is.
int open_descendant_file() {
    u64 const process = static_cast<u64>(getpid());
    for (u64 attempt = 1; attempt <= attempts_max; ++attempt) {
        Path path = g_recorder.path;
        (void)path.append(".");
        append_number(path, process);
        if (attempt > 1) {
            (void)path.append(".");
            append_number(path, attempt);
        }
        (void)path.append(std::string_view("\0", 1));
        int const file = open(path.view().data(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, file_mode);
        if (file >= 0 || errno != EEXIST) {
            return file;
        }
    }
    return -1;
}

int open_first_file() {
    Path path = g_recorder.path;
    (void)path.append(std::string_view("\0", 1));
    return open(path.view().data(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, file_mode);
}

/// Out of the way of the low numbers that programs close and count on.
int move_out_of_the_way(int file) {
    constexpr int first_number = 700;
    int const moved = fcntl(file, F_DUPFD_CLOEXEC, first_number);
    if (moved < 0) {
        return file;
    }
    close(file);
    return moved;
}

/// The program's arguments as the kernel keeps them.
std::span<std::byte const> read_command(std::span<std::byte> room) {
    int const file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    usize used = 0;
    while (file >= 0 && used < room.size()) {
        ssize_t const got = read(file, room.data() + used, room.size() - used);
        if (got <= 0) {
            break;
        }
        used += static_cast<usize>(got);
    }
    if (file >= 0) {
        close(file);
    }
    return room.first(used);
}

/// Begins a trace in g_recorder.file with the blocks that are alive already, as a child has them.
void begin_trace() {
    std::array<std::byte, 4096> command; // longer ones are cut at an argument
    auto const arguments = read_command(command);
    Recorder& recorder = g_recorder;
    recorder.file = move_out_of_the_way(recorder.file);
    auto const started = recorder.writer.start(
        {.context = &recorder.file, .write_at = write_at}, arguments, static_cast<u32>(getpid()));
    if (!started) {
        say("the trace cannot be written");
        return;
    }
    recorder.live.for_each([&](LiveBlock& block) {
        block.object = block.alignment_log2 == 0
                           ? recorder.writer.allocate(EventKind::allocate, block.size)
                           : recorder.writer.allocate(
                                 EventKind::allocate_aligned, block.size,
                                 static_cast<u8>(block.alignment_log2));
    });
    // What a child inherits counts as allocated by the thread that lives on in it.
    recorder.threads = recorder.live.size() > 0 ? 1 : 0;
    t_thread = recorder.threads;
    recorder.active->store(1, release);
}

void before_fork() {
    pthread_mutex_lock(&g_recorder.lock);
    g_recorder.was_active = g_recorder.active->load(relaxed) != 0;
}

void after_fork_in_parent() {
    pthread_mutex_unlock(&g_recorder.lock);
}

void after_fork_in_child() {
    pthread_mutex_unlock(&g_recorder.lock);
    close(g_recorder.file);
    g_recorder.file = -1;
    if (!g_recorder.was_active || !g_recorder.records_children) {
        return;
    }
    Locked const lock;
    g_recorder.file = open_descendant_file();
    if (g_recorder.file < 0) {
        say("the file of a child cannot be created");
        return;
    }
    begin_trace();
}

/// The number of the calling thread, given at its first event. The lock is held.
u32 thread_number() {
    if (t_thread == 0) {
        t_thread = g_recorder.threads < thread_count_max ? ++g_recorder.threads : thread_count_max;
    }
    return t_thread - 1;
}

/// Whether the caller, who holds the lock, may record: the answer of is_recording may be old.
bool still_recording() {
    return g_recorder.active->load(relaxed) != 0;
}

void stop(std::string_view why) {
    g_recorder.active->store(0, relaxed);
    say(why);
}

} // namespace

InsideAllocator::InsideAllocator() {
    ++t_inside;
}

InsideAllocator::~InsideAllocator() {
    --t_inside;
}

bool is_recording() {
    return t_inside == 0 && g_recorder.active != nullptr && g_recorder.active->load(acquire) != 0;
}

void start_recording() {
    char* const asked = find_variable(ask_variable);
    char* const told = find_variable(told_variable);
    char* const value = asked != nullptr ? asked : told;
    char const* const children = find_variable(children_variable);
    g_recorder.records_children = children != nullptr && std::strcmp(children, "yes") == 0;
    if (value == nullptr || (asked == nullptr && !g_recorder.records_children)) {
        return;
    }
    std::string_view const name = text_of(value);
    constexpr usize suffix_bytes_max = 48;
    if (name.empty() || name.size() > path_bytes_max - suffix_bytes_max) {
        say("TWOFOLD_RECORD does not name a file");
        return;
    }
    (void)g_recorder.path.append(name);
    if (asked != nullptr) {
        std::memcpy(asked - ask_variable.size(), told_variable.data(), told_variable.size());
    }
    auto const page_bytes = static_cast<usize>(sysconf(_SC_PAGESIZE));
    void* const page =
        mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
        say("the host offers no memory that a fork wipes");
        return;
    }
    g_recorder.active = static_cast<Atomic<u32>*>(page);
    g_recorder.file = asked != nullptr ? open_first_file() : open_descendant_file();
    if (g_recorder.file < 0) {
        FixedString<path_bytes_max + 128> line;
        (void)line.append(name);
        (void)line.append(" cannot be created: ");
        (void)line.append(text_of(strerrordesc_np(errno)));
        say(line.view());
        return;
    }
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    Locked const lock;
    begin_trace();
}

void complete_recording() {
    if (g_recorder.active == nullptr || g_recorder.active->load(acquire) == 0) {
        return;
    }
    Locked const lock;
    if (still_recording() && !g_recorder.writer.finish()) {
        stop("the trace cannot be written; it is not complete");
    }
}

void end_recording() {
    complete_recording();
    if (g_recorder.active != nullptr) {
        Locked const lock;
        g_recorder.active->store(0, release);
    }
}

void record_allocation(EventKind kind, void* block, usize size, usize alignment) {
    Locked const lock;
    if (!still_recording()) {
        return;
    }
    if (block == nullptr) {
        g_recorder.writer.count_failed();
        return;
    }
    u8 const alignment_log2 =
        kind == EventKind::allocate_aligned ? static_cast<u8>(std::countr_zero(alignment)) : u8{0};
    g_recorder.writer.set_thread(thread_number());
    u64 const object = g_recorder.writer.allocate(kind, size, alignment_log2);
    LiveBlock const live{std::bit_cast<u64>(block), object, size, alignment_log2};
    if (!g_recorder.live.insert(live)) {
        stop("the host has no memory for the table of live blocks; recording ends");
    }
}

void record_release(void* block) {
    Locked const lock;
    if (!still_recording()) {
        return;
    }
    LiveBlock const live = g_recorder.live.take(std::bit_cast<u64>(block));
    if (live.address == 0) {
        g_recorder.writer.count_foreign();
        return;
    }
    g_recorder.writer.set_thread(thread_number());
    g_recorder.writer.release(live.object, live.size);
}

LiveBlock begin_resize(void* block) {
    Locked const lock;
    return still_recording() ? g_recorder.live.take(std::bit_cast<u64>(block)) : LiveBlock{};
}

void end_resize(LiveBlock before, void* now, usize size) {
    Locked const lock;
    if (!still_recording()) {
        return;
    }
    if (now == nullptr) {
        g_recorder.writer.count_failed();
    } else if (before.address == 0) { // of a block from before the recording: a new object from
                                      // here on
        g_recorder.writer.count_foreign();
        g_recorder.writer.set_thread(thread_number());
        before.object = g_recorder.writer.allocate(EventKind::allocate, size);
        before.size = size;
        before.address = std::bit_cast<u64>(now);
    } else {
        g_recorder.writer.set_thread(thread_number());
        g_recorder.writer.resize(before.object, before.size, size);
        before.size = size;
        before.address = std::bit_cast<u64>(now);
    }
    if (before.address != 0 && !g_recorder.live.insert(before)) {
        stop("the host has no memory for the table of live blocks; recording ends");
    }
}

} // namespace twofold::allocation

/// A broken invariant of the recorder itself.
void twofold::check_failed(char const* expression, std::source_location where) {
    allocation::say(text_of(where.file_name()));
    allocation::say(text_of(expression));
    std::abort();
}
