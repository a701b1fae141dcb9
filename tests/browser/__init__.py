"""Tests in headless Chromium, and the screenshots of the documentation."""
