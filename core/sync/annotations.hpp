// The words of clang's thread-safety analysis, which is an error in every build with clang: what a
// field is guarded by, what a function requires, takes or gives back. Other compilers read nothing.
//
// Source: D. Hutchins, A. Ballman and D. Sutherland, "C/C++ thread safety analysis", SCAM 2014.
#pragma once

#ifdef __clang__
#define TWOFOLD_THREAD_ANNOTATION(words) __attribute__((words))
#else
#define TWOFOLD_THREAD_ANNOTATION(words)
#endif

/// A type that is a lock; `kind` names it in diagnostics.
#define CAPABILITY(kind) TWOFOLD_THREAD_ANNOTATION(capability(kind))
/// A type whose lifetime is that of a lock held.
#define SCOPED_CAPABILITY TWOFOLD_THREAD_ANNOTATION(scoped_lockable)
/// A field that is touched only while the lock is held; for a pointer, what it points to.
#define GUARDED_BY(lock) TWOFOLD_THREAD_ANNOTATION(guarded_by(lock))
#define POINTER_GUARDED_BY(lock) TWOFOLD_THREAD_ANNOTATION(pt_guarded_by(lock))
/// A function that is called with the locks held, or without them.
#define REQUIRES(...) TWOFOLD_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) TWOFOLD_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
/// A function that takes the locks, or gives them back.
#define ACQUIRE(...) TWOFOLD_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) TWOFOLD_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
/// A function that returns the lock.
#define RETURN_CAPABILITY(lock) TWOFOLD_THREAD_ANNOTATION(lock_returned(lock))
/// A function after which the lock is held, for the analysis.
#define ASSERT_CAPABILITY(lock) TWOFOLD_THREAD_ANNOTATION(assert_capability(lock))
