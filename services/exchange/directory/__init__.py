"""The directory of shared resources (共享资源): described, reviewed, published."""
