"""The foundation: settings, time, ids, money, storage, events. It knows nothing of shops."""
