"""Items (政务服务事项): what they hold, their codes and rules, how they are stored and shown."""
